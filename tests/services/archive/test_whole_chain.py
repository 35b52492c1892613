"""From a remote archive to the API: each archive, and all three with every fault of the stand-in.

Acquisitions are ingested without a calibration, so that the chain of many ends here.
"""

import gzip
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from services.monitor.web.app import create_app
from shared.database.models.operations import JobState, Stage
from shared.settings import Settings
from shared.store import sha256_of
from simulator.archive.faults import FaultRule, Kind
from tests.services.archive.service_in_turns import ServiceInTurns

pytestmark = pytest.mark.integration

_ACQUISITION = "ldngz2szq"


def _acquire(folder: Path, data_dir: Path, rootname: str = _ACQUISITION) -> None:
    """Write a real acquisition into a folder, under a name."""
    for path in (data_dir / "acquisitions").glob(f"{_ACQUISITION}_*.fits.gz"):
        content = gzip.decompress(path.read_bytes())
        for old, new in ((_ACQUISITION, rootname), (_ACQUISITION.upper(), rootname.upper())):
            content = content.replace(old.encode(), new.encode())
        (folder / path.stem.replace(_ACQUISITION, rootname)).write_bytes(content)


async def _shown(service: ServiceInTurns, rootnames: list[str]) -> dict[str, dict[str, str]]:
    """Return SHA-256 of the raw files by name as the API has them, of ingested datasets."""
    app = create_app(Settings(database_url=service.database.url, store_url=service.store.url))
    found = {}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1"
        ) as client,
    ):
        for rootname in rootnames:
            dataset = (await client.get(f"/api/v1/datasets/{rootname}")).json()
            assert (dataset["state"], dataset["missing"]) == ("ingested", [])
            found[rootname] = {file["name"]: file["sha256"] for file in dataset["files"]}
    return found


def _held(folder: Path, rootname: str) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in folder.glob(f"{rootname}_*.fits")}


@pytest.mark.parametrize("names", [["mast"], ["s3"], ["cadc"]], ids="-".join)
async def test_datasets_come_whole_and_once(
    service: ServiceInTurns, data_dir: Path, names: list[str]
) -> None:
    _acquire(service.folder, data_dir)
    service.catalogues = names
    with service.served() as requests:
        await service.settle_ingested(1)
    held = _held(service.folder, _ACQUISITION)
    assert await service.files() == service.served_files()
    assert (await service.dataset()).missing == []
    fetched = [event["files"] for event in await service.events("dataset.fetched")]
    assert sorted(fetched, key=len) == [held, _held(service.folder, "ldfd01*")]
    assert len(await service.events("dataset.downloaded")) == 2
    for fetch in await service.jobs(Stage.FETCH):
        assert (fetch.state, fetch.payload["unread"]) == (JobState.DONE, False)
    assert len(await service.jobs(Stage.CALIBRATE)) == 1
    assert await _shown(service, [_ACQUISITION]) == {_ACQUISITION: held}
    downloads = [line for line in requests if "GET" in line and "list-type" not in line]
    for name in service.served_files():
        # S3 says what is associated with what in the tables alone.
        expected = 2 if names == ["s3"] and name.endswith("_asn.fits") else 1
        assert sum(name in line for line in downloads) == expected, downloads


_FAULTS: dict[str, dict[str, Any]] = {
    "a": {"kind": "status", "status": 400, "times": 0},
    "b": {"kind": "status", "status": 401, "times": 0},
    "c": {"kind": "status", "status": 403, "times": 0},
    "d": {"kind": "status", "status": 429, "retry_after": 0, "times": 2},
    "e": {"kind": "status", "status": 500, "times": 0},
    "f": {"kind": "status", "status": 502, "times": 2},
    "g": {"kind": "status", "status": 503, "times": 0},
    "h": {"kind": "silence", "after": 1000},
    "i": {"kind": "slow", "rate": 200_000},
    "j": {"kind": "cut", "after": 5000},
    "k": {"kind": "cut", "after": 5000, "length": False},
    "l": {"kind": "wrong-bytes"},
    "m": {"kind": "no-range", "request": 2},
    "n": {"kind": "range-off", "request": 2},
    "o": {"kind": "etag", "request": 2},
    "p": {"kind": "html", "times": 0},
    "q": {"kind": "redirect", "location": "http://127.0.0.1:9", "times": 0},
    "r": {"kind": "executing", "times": 2},
    "s": {"kind": "executing", "times": 0},
    "t": {"kind": "expired-token", "times": 0},
}
"""Fault of MAST's file of an acquisition, by the letter of its rootname."""
_CUT_BEFORE = "mno"
"""Those that are met when the rest is asked for."""
_OF_LISTINGS: tuple[dict[str, Any], ...] = (
    {"path": "*/search", "kind": "html"},
    {"path": "*/search", "kind": "status", "status": 503, "request": 2},
    {"path": "*/search", "kind": "executing", "request": 3, "times": 2},
    {"path": "*/search", "kind": "shift", "amount": 1, "request": 6},
    {"path": "*/search", "kind": "expired-token", "request": 7},
    {"path": "*list-type=2*", "kind": "status", "status": 403, "times": 0},
    {"path": "*/argus/sync*", "kind": "overflow", "amount": 3},
    {"path": "*/argus/sync*", "kind": "executing", "request": 2, "times": 0},
    {"path": "*list_products*", "kind": "executing", "times": 2},
    {"path": "*list_products*", "kind": "size", "amount": 1000, "times": 0},
)


async def test_everything_comes_whole_and_once_whatever_fails(
    service: ServiceInTurns, data_dir: Path
) -> None:
    service.catalogues = ["mast", "s3", "cadc"]
    datasets = [f"lx{letter}gz2szq" for letter in _FAULTS]
    for rootname in datasets:
        _acquire(service.folder, data_dir, rootname)
    rules: list[dict[str, Any]] = [*_OF_LISTINGS]
    for letter, fault in _FAULTS.items():
        pattern = f"*Download*lx{letter}gz2szq_rawacq*"
        rules.append({"path": pattern, **fault})
        if letter in _CUT_BEFORE:
            rules.append({"path": pattern, "kind": "cut", "after": 5000})
    assert {rule["kind"] for rule in rules} == set(Kind)
    with service.served(map(FaultRule.model_validate, rules)) as requests, capture_logs() as lines:
        await service.settle_ingested(len(datasets))
    assert set(Kind) <= {word for line in requests for word in line.split()}
    assert await service.files() == service.served_files()
    assert await _shown(service, datasets) == {
        rootname: _held(service.folder, rootname) for rootname in datasets
    }
    for name in ("dataset.downloaded", "dataset.fetched", "dataset.ingested"):
        assert len(await service.events(name)) == len(datasets) + 1  # the association
    assert len(await service.jobs(Stage.CALIBRATE)) == 1
    assert {line["event"] for line in lines} >= {
        "archive gives no answer; asking again",
        "catalogue does not answer",
        "catalogue answers again",
        "download interrupted",
        "downloaded a damaged file; asking again",
        "not to be had from this archive",
    }
    reasons = " ".join(str(line.get("reason")) for line in lines)
    assert "it is still executing the query (EXECUTING)" in reasons
    assert "the token has expired: make another one" in reasons
