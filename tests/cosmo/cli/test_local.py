"""What ``cosmo run`` reports at its end."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, cast

import pytest

from cosmo.cli import local as machine
from cosmo.client import Client
from services.archive.scan import ScanResult
from services.monitor.response_models.datasets import DatasetRecord
from services.monitor.response_models.status import SystemStatus
from shared.errors import PermanentError, TransientError

_State = Literal["discovered", "ingesting", "ingested"]


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

    def status(self) -> SystemStatus:
        jobs = {"done": 1} if self._ended() else {"running": 1}
        return SystemStatus(
            datasets={},
            jobs=jobs,
            stages={},
            oldest_running_seconds=None,
            queues={},
            failures=[],
            last_scan=None,
            catalogues=[],
            workers=[],
            trouble=[],
            newest_event=None,
            newest_exposure=None,
        )

    def datasets(self) -> list[DatasetRecord]:
        return [_dataset("ingested" if self._ended() else "ingesting")]


def _dataset(state: _State, missing: Sequence[str] = ()) -> DatasetRecord:
    """Make an association in a state."""
    return DatasetRecord(
        rootname="ldfd01010",
        kind="association",
        state=state,
        reason=None,
        failed_stage=None,
        error_kind=None,
        members=[],
        companions=[],
        missing=list(missing),
        left_aside={},
        complete=not missing,
        forced=False,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("away", [0, 3])
def test_what_is_reported_is_the_end(monkeypatch: pytest.MonkeyPatch, away: int) -> None:
    monkeypatch.setattr(machine, "_POLL_SECONDS", 0.0)
    api, checks = _Ending(away), list[None]()
    rows = machine._follow(cast("Client", api), lambda: checks.append(None))
    assert [row.state for row in rows] == ["ingested"]
    assert len(checks) == max(away, 1)


def test_what_is_left_aside_is_said_with_its_number_and_names() -> None:
    names = [f"l{number}_x1d.fits" for number in range(3)]
    aside = {"calibrated products": {"count": 4, "names": names}}
    lines = list(
        machine._described(ScanResult(3, 1, 1, {"file:///raw/locked": "permission denied"}, aside))
    )
    assert lines == [
        "3 files, 1 new or changed, 1 datasets",
        "cannot be read: file:///raw/locked (permission denied)",
        "excluded: 4 calibrated products: l0_x1d.fits, l1_x1d.fits, l2_x1d.fits, ...",
    ]


def test_folder_without_anything_of_cos_is_no_success() -> None:
    done = _dataset("ingested")
    machine._judge("raw", ScanResult(3, 0, 1, {}, {"copies": {"count": 1, "names": ["a"]}}), [done])
    # Datasets of earlier runs do not count.
    with pytest.raises(PermanentError, match="no COS data found in raw; give a folder"):
        machine._judge("raw", ScanResult(0, 0, 0, {}, {}), [done])
    with pytest.raises(PermanentError, match="1 of 2 datasets"):
        machine._judge("raw", ScanResult(3, 0, 2, {}, {}), [done, _dataset("discovered")])
    missing = _dataset("discovered", ["ldfd01vnq_spt"])
    with pytest.raises(PermanentError, match="--force processes incomplete ones too"):
        machine._judge("raw", ScanResult(3, 0, 2, {}, {}), [missing])
    with pytest.raises(TransientError, match="not everything"):
        machine._judge("raw", ScanResult(3, 0, 1, {"raw/locked": "denied"}, {}), [done])
    with pytest.raises(PermanentError, match=r"ldfd01010 \(a fault\)"):
        machine._judge("raw", ScanResult(3, 0, 1, failed={"ldfd01010": "a fault"}), [done])
