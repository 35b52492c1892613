"""Commands about remote archives, and what they refuse before they ask anybody."""

from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cosmo.cli import archive
from cosmo.cli.app import app
from services.monitor.response_models.archive import PlanRecord
from shared.errors import PermanentError
from tests.cosmo.client.scripted import Scripted

_PLAN = PlanRecord(
    datasets=42,
    coming=39,
    files=117,
    bytes=195_000_000,
    estimated=39,
    held=2,
    exclusive=1,
    withdrawn=0,
    incomplete=1,
    incomplete_names=["lbgu17010"],
    unknown=["proposal 99999"],
    room=100_000_000,
    fits=False,
    listed_at=None,
)
_SELECTION = {
    "id": 7,
    "selection": {"everything": True},
    "description": "everything",
    "order": "newest",
    "created_at": "2026-05-01T00:00:00+00:00",
    "created_by": "operator",
    "ended_at": None,
}


def _answer(request: httpx.Request) -> httpx.Response:
    if request.method == "POST":
        return httpx.Response(201, json=_SELECTION)
    if request.url.path.endswith("/status"):
        status: dict[str, Any] = {
            "catalogues": [
                {
                    "catalogue": "mast",
                    "last_answer": None,
                    "failing_since": "2026-05-01T00:00:00+00:00",
                    "retry_at": "2026-05-01T00:05:00+00:00",
                    "error": "no answer",
                    "last_full": None,
                    "last_short": None,
                }
            ],
            "entries": 42,
            "selections": [_SELECTION],
            "refused": "COSMO_ARCHIVE__WANTED is refused: too large",
            "wanted": _PLAN.model_dump(mode="json"),
            "transfer": {
                "datasets": 7,
                "bytes": 17_200_000,
                "seconds": 8.0,
                "bytes_per_second": 2.15e6,
            },
        }
        return httpx.Response(200, json=status)
    return httpx.Response(200, json=_PLAN.model_dump(mode="json"))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Return what the commands talk to."""
    client = Scripted(_answer)
    monkeypatch.setattr(archive, "connect", lambda *_: client)
    return client


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "nothing is selected; give proposals"),
        (["--everything", "--proposal", "1"], "everything goes with nothing else"),
        (["--proposal", "0"], "proposals.0: Input should be greater than or equal to 1"),
        (["--cone", "1,2"], "cone: give right ascension, declination and radius, degree"),
        (["--cone", "1,95,1"], "cone.dec: Input should be less than or equal to 90"),
        (["--configuration", "COS"], "configuration: Input should be 'COS/FUV' or 'COS/NUV'"),
        (["--from", "2024-01-02", "--before", "2024-01-01"], "exchange the dates"),
    ],
)
def test_what_cannot_be_a_selection_is_refused(options: list[str], reason: str) -> None:
    result = CliRunner().invoke(app, ["archive", "plan", *options])
    assert isinstance(result.exception, PermanentError)
    assert reason in str(result.exception)


def test_a_plan_is_told_in_words(service: Scripted) -> None:
    options = ["--proposal", "14933", "--proposal", "99999", "--cone", "182.6,39.4,0.1"]
    result = CliRunner().invoke(app, ["archive", "plan", *options, "--from", "2024-01-01"])
    assert result.output.splitlines() == [
        "proposals 14933, 99999; within 0.1 deg of 182.6 +39.4; from 2024-01-01 00:00:",
        "  42 datasets; 39 to fetch: about 117 files, about 0.195 GB",
        "  the files of 39 are not listed yet, and are estimated",
        "  2 held, 1 exclusive, 0 withdrawn",
        "  1 incomplete at the archive: lbgu17010",
        "  no catalogue has anything of proposal 99999",
        "  the disk of the store has room for 0.100 GB",
        "  no catalogue has been listed yet: its first listing takes a while",
    ]
    (request,) = service.requests
    assert dict(request.url.params) == {
        "proposals": "14933,99999",
        "cone": "182.6,39.4,0.1",
        "first": "2024-01-01T00:00:00+00:00",
        "everything": "false",
    }


def test_everything_is_asked_for_twice(service: Scripted) -> None:
    command = ["archive", "fetch", "--everything"]
    assert CliRunner().invoke(app, command, input="n\n").exit_code == 1
    assert [request.method for request in service.requests] == ["GET"]


@pytest.mark.parametrize("how", [["--yes"], []])
def test_what_is_wanted_is_fetched(service: Scripted, how: list[str]) -> None:
    result = CliRunner().invoke(app, ["archive", "fetch", "--everything", *how], input="y\n")
    assert result.output.endswith("selection 7 is fetched: everything, newest first\n")
    assert [request.method for request in service.requests] == ["GET", "POST"]
    assert service.requests[1].content == (b'{"selection":{"everything":true},"order":"newest"}')


def test_the_status_is_told_in_words(service: Scripted) -> None:
    result = CliRunner().invoke(app, ["archive", "status"])
    assert result.output.splitlines()[:3] == [
        "mast does not answer since 2026-05-01 00:00:00 (no answer), asked again at "
        "2026-05-01 00:05:00",
        "42 datasets are in the catalogues",
        "selection 7 of operator: everything, newest first",
    ]
    assert "COSMO_ARCHIVE__WANTED is refused: too large" in result.output
    assert "42 datasets; 39 to fetch" in result.output
    assert "come in the last hour: 7 datasets, 0.017 GB, 2.15 MB a second" in result.output
