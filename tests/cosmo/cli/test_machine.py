"""What ``cosmo run`` reports at its end."""

from typing import Any, cast

import pytest

from cosmo.cli import machine
from cosmo.client import Client
from shared.errors import TransientError


class _Ending:
    """An API whose last job ends between any two requests."""

    def __init__(self, away: int = 0) -> None:
        self.asked, self.away = 0, away

    def _ended(self) -> bool:
        self.asked += 1
        if self.asked == 2 and self.away:
            self.away -= 1
            self.asked -= 1
            raise TransientError("the web process starts again")
        return self.asked > 1

    def status(self) -> dict[str, Any]:
        return {"jobs": {"done": 1} if self._ended() else {"running": 1}}

    def datasets(self) -> list[dict[str, Any]]:
        return [{"rootname": "ldfd01010", "kind": "association", "state": "ingested" if self._ended() else "ingesting"}]


@pytest.mark.parametrize("away", [0, 3])
def test_what_is_reported_is_the_end(monkeypatch: pytest.MonkeyPatch, away: int) -> None:
    monkeypatch.setattr(machine, "_POLL_SECONDS", 0.0)
    api, checks = _Ending(away), list[None]()
    rows = machine._follow(cast("Client", api), lambda: checks.append(None))
    assert [row["state"] for row in rows] == ["ingested"]
    assert len(checks) == max(away, 1)
