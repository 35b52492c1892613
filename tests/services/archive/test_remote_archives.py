"""Remote archives, from discovery to the store: a real stand-in, a real Postgres and broker."""

import asyncio
import gzip
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from sqlalchemy import select, update
from structlog.testing import capture_logs

from cosmo.launcher.embedded import EmbeddedValkey
from services.archive.archives import RemoteArchives
from services.archive.catalogues import open_catalogue
from services.archive.discovery import Discovery
from services.archive.discovery.health import available
from services.archive.downloads import Downloader
from services.archive.fetch import FetchService
from services.archive.scan import ScanResult, scan_archives
from shared.database.engine import Database
from shared.database.models.archive import CatalogueEntryRow
from shared.database.models.operations import (
    Dataset,
    Event,
    File,
    Job,
    JobState,
    SourceFile,
    SourceVisit,
    Stage,
)
from shared.jobs.events import Outbox
from shared.jobs.runner import JobRunner
from shared.settings import ArchiveSettings, JobSettings
from shared.store import Store, sha256_of
from shared.worker.broker import Messenger, make_broker
from simulator.archive.faults import FaultRule
from simulator.archive.server import running_archive

pytestmark = pytest.mark.integration

_ROOT, _RAW, _SPT = "ldfd01010", "ldfd01vnq_rawtag_a.fits", "ldfd01vnq_spt.fits"
_PATIENCE_SECONDS = 60
_ROUNDS = 12
"""Turns of the service after which all must have come."""


@pytest.fixture(scope="module")
def visit(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the real association of one exposure, with a hundred events."""
    raw, folder = data_dir / _ROOT / "raw", tmp_path_factory.mktemp("visit")
    with fits.open(raw / f"{_ROOT}_asn.fits.gz") as hdus:
        hdus["ASN"].data = hdus["ASN"].data[[0, 4]]
        hdus.writeto(folder / f"{_ROOT}_asn.fits")
    with fits.open(raw / f"{_RAW}.gz") as hdus:
        hdus["EVENTS"].data = hdus["EVENTS"].data[:100]
        hdus.writeto(folder / _RAW)
    for name in (_SPT, f"{_ROOT}_jit.fits"):
        (folder / name).write_bytes(gzip.decompress((raw / f"{name}.gz").read_bytes()))
    return folder


class Service:
    """The archive service, in turns."""

    def __init__(self, database: Database, messenger: Messenger, folder: Path) -> None:
        self.database, self.messenger = database, messenger
        self.folder, self.place = folder / "data", folder
        self.store = Store((folder / "store").as_uri())
        self.catalogues = ["mast"]
        self.lines: list[Any] = []

    @contextmanager
    def served(self, rules: Iterable[FaultRule] = ()) -> Any:
        """Serve the folder."""
        requests: list[str] = []
        with running_archive(self.folder, rules=rules, report=requests.append) as url:
            self.settings = ArchiveSettings(
                sources=self.catalogues,
                mast_url=url,
                s3_url=url,
                cadc_url=url,
                wanted={"everything": True},
                metadata_rate=1000,
                listing_seconds=0.01,
                catalogue_pause_seconds=0.01,
                download_silence_seconds=1,
                download_backoff_seconds=0.01,
            )
            catalogues = [open_catalogue(name, self.settings) for name in self.catalogues]
            downloader = Downloader(self.place / "parts", self.settings)
            self.archives = RemoteArchives(self.database, catalogues, downloader, 0.01)
            self.discovery = Discovery(self.database, catalogues, self.settings, self.store)
            service = FetchService(self.database, self.store, downloader, 1, self.archives)
            self.runner = JobRunner(
                self.database,
                self.messenger,
                JobSettings(backoff_seconds=0),
                {Stage.FETCH: service.fetch},
                "tester",
            )
            yield requests

    async def turn(self) -> ScanResult:
        """Look, scan, and do every fetch job that is due."""
        await self.discovery.look()
        result = await scan_archives(self.database, self.archives, Outbox())
        for job in await self.jobs(Stage.FETCH):
            if job.state is JobState.QUEUED:
                await self.runner.run(job.id)
        return result

    async def settle(self, calibrations: int = 1) -> None:
        """Take turns until there is a calibration, and one more."""
        for _ in range(_ROUNDS):
            await self.turn()
            if len(await self.jobs(Stage.CALIBRATE)) >= calibrations:
                break
        await self.turn()

    async def turn_until_missing(self, names: list[str]) -> None:
        """Take turns until that is missing: the stand-in sees a changed folder after a while."""
        query = select(Dataset.missing).where(Dataset.rootname == _ROOT)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                await self.turn()
                async with self.database.session() as session:
                    if (await session.execute(query)).scalar() == names:
                        return

    async def jobs(self, stage: Stage) -> list[Job]:
        async with self.database.session() as session:
            query = select(Job).where(Job.stage == stage).order_by(Job.id)
            return list((await session.execute(query)).scalars())

    async def events(self, name: str) -> list[dict[str, Any]]:
        async with self.database.session() as session:
            query = select(Event.detail).where(Event.name == name).order_by(Event.id)
            return list((await session.execute(query)).scalars())

    async def dataset(self) -> Dataset:
        async with self.database.session() as session:
            query = select(Dataset).where(Dataset.rootname == _ROOT)
            return (await session.execute(query)).scalar_one()

    async def files(self, *, current: bool = True) -> dict[str, str]:
        """Return SHA-256 of the raw files by name."""
        async with self.database.session() as session:
            query = select(File.name, File.sha256).where(File.current == current)
            return {row.name: row.sha256 for row in await session.execute(query)}

    def served_files(self) -> dict[str, str]:
        return {path.name: sha256_of(path) for path in self.folder.glob("*.fits")}


@pytest.fixture
async def service(
    database: Database, valkey: EmbeddedValkey, visit: Path, tmp_path: Path
) -> AsyncIterator[Service]:
    shutil.copytree(visit, tmp_path / "data")
    broker = make_broker(valkey.url)
    broker.client.flushall()
    yield Service(database, Messenger(broker), tmp_path)
    broker.close()


@pytest.mark.parametrize("names", [["mast"], ["s3"], ["cadc"]], ids="-".join)
async def test_a_dataset_comes_whole_and_once(service: Service, names: list[str]) -> None:
    service.catalogues = names
    with service.served() as requests:
        await service.settle()
    assert await service.files() == service.served_files()
    assert (await service.dataset()).missing == []
    (fetched,) = await service.events("dataset.fetched")
    assert fetched["files"] == service.served_files()
    assert len(await service.events("dataset.downloaded")) == 1
    (fetch,) = await service.jobs(Stage.FETCH)
    assert (fetch.state, fetch.payload["unread"]) == (JobState.DONE, False)
    assert len(await service.jobs(Stage.CALIBRATE)) == 1
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
}
"""Fault of MAST's raw file of a dataset, by the letter of its rootname."""
_CUT_BEFORE = "mno"
"""Those that are met when the rest is asked for."""
_OF_LISTINGS: tuple[dict[str, Any], ...] = (
    {"path": "*/search", "kind": "html"},
    {"path": "*/search", "kind": "status", "status": 503, "request": 2},
    {"path": "*/search", "kind": "shift", "amount": 1, "request": 3},
    {"path": "*list-type=2*", "kind": "status", "status": 403, "times": 0},
    {"path": "*/argus/sync*", "kind": "overflow", "amount": 3},
    {"path": "*list_products*", "kind": "size", "amount": 1000, "times": 0},
)


async def test_everything_comes_whole_and_once_whatever_fails(service: Service) -> None:
    service.catalogues = ["mast", "s3", "cadc"]
    for path in list(service.folder.iterdir()):
        for letter in _FAULTS:
            content = path.read_bytes()
            for old, new in (("ldfd01", f"lx{letter}d01"), ("LDFD01", f"LX{letter.upper()}D01")):
                content = content.replace(old.encode(), new.encode())
            (service.folder / path.name.replace("ldfd01", f"lx{letter}d01")).write_bytes(content)
        path.unlink()
    rules: list[dict[str, Any]] = [*_OF_LISTINGS]
    for letter, fault in _FAULTS.items():
        pattern = f"*Download*lx{letter}d01vnq_rawtag_a*"
        rules.append({"path": pattern, **fault})
        if letter in _CUT_BEFORE:
            rules.append({"path": pattern, "kind": "cut", "after": 5000})
    with service.served(map(FaultRule.model_validate, rules)) as requests, capture_logs() as lines:
        await service.settle(len(_FAULTS))
    assert {rule["kind"] for rule in rules} <= {word for line in requests for word in line.split()}
    assert await service.files() == service.served_files()
    assert len(await service.events("dataset.fetched")) == len(_FAULTS)
    assert len(await service.events("dataset.downloaded")) == len(_FAULTS)
    assert len(await service.jobs(Stage.CALIBRATE)) == len(_FAULTS)
    assert {line["event"] for line in lines} >= {
        "catalogue does not answer",
        "catalogue answers again",
        "download interrupted",
        "downloaded a damaged file; asking again",
        "not to be had from this archive",
    }


def _rewrite(path: Path, change: Callable[[fits.HDUList], None]) -> None:
    """Deliver a file again, as the archive does."""
    with fits.open(path, memmap=False) as hdus:
        change(hdus)
        hdus.writeto(path, overwrite=True)


def _of_delivery(hdus: fits.HDUList) -> None:
    hdus[0].header["DATE"] = "2026-11-30"
    hdus[0].header["OPUS_VER"] = "HSTDP 2026_3"
    hdus[0].header["DGEOFILE"] = "lref$zzz1616ql_dgeo.fits"


def _other_name(hdus: fits.HDUList) -> None:
    hdus[0].header["FLATFILE"] = "lref$zzz16117l_flat.fits"


def _other_data(hdus: fits.HDUList) -> None:
    hdus["EVENTS"].data["PHA"][0] += 1


@pytest.mark.parametrize(
    ("change", "calibrations"),
    [(_of_delivery, 1), (_other_name, 2), (_other_data, 2)],
    ids=["dates and names of delivery", "name of a reference", "data"],
)
async def test_deliveries_are_calibrated_where_calibration_reads_another_thing(
    service: Service, change: Callable[[fits.HDUList], None], calibrations: int
) -> None:
    with service.served():
        await service.settle()
        before = await service.files()
        _rewrite(service.folder / _RAW, change)
        for _ in range(4):
            await service.turn()
    assert await service.files() == service.served_files()
    assert before[_RAW] != service.served_files()[_RAW]
    assert await service.files(current=False) == {_RAW: before[_RAW]}  # the older one is kept
    assert len(await service.jobs(Stage.CALIBRATE)) == calibrations
    assert len(await service.jobs(Stage.INGEST_RAW)) == 2
    fetched = await service.events("dataset.fetched")
    assert [set(one["calibrates_as"]) for one in fetched] == [
        set(),
        {_RAW} if calibrations == 1 else set(),
    ]


async def test_a_scan_that_is_behind_writes_no_other_fetch(service: Service) -> None:
    """It loaded the files before the fetch ended that read their headers."""
    with service.served():
        await service.settle()
        async with service.database.transaction() as session:
            unread = SourceFile.facts.op("||")({"unread": True})
            await session.execute(update(SourceFile).values(facts=unread))
            await session.execute(update(SourceVisit).values(pending=1))
        await scan_archives(service.database, service.archives, Outbox(), is_news=False)
    assert [job.state for job in await service.jobs(Stage.FETCH)] == [JobState.DONE]


async def test_exclusive_data_are_listed_and_not_fetched(service: Service) -> None:
    description = service.folder / "archive.toml"
    description.write_text("exclusive = {ldfd01010 = 2035-01-01}\n")
    with service.served() as requests:
        for _ in range(3):
            await service.turn()
        assert not any("Download" in line for line in requests)
        assert await service.jobs(Stage.FETCH) == []
        description.unlink()
        await service.settle()
    assert await service.files() == service.served_files()


async def test_what_a_header_asks_for_is_missing_by_name(service: Service) -> None:
    """The header of a raw file that has come says which segment belongs to it."""
    (service.folder / _SPT).rename(service.place / _SPT)
    with service.served():
        await service.turn_until_missing(["ldfd01vnq_spt"])
        assert await service.jobs(Stage.FETCH) == []
        (service.place / _SPT).rename(service.folder / _SPT)
        _rewrite(service.folder / _RAW, lambda hdus: hdus[0].header.set("DETECTHV", "NomAB"))
        await service.turn_until_missing(["ldfd01vnq_rawtag_b"])
        assert _RAW in await service.files()  # it had to come to say so
        assert await service.events("dataset.fetched") == []
        _rewrite(service.folder / _RAW, lambda hdus: hdus[0].header.set("DETECTHV", "NomA"))
        await service.turn_until_missing([])
        await service.settle()
    assert (await service.dataset()).missing == []
    assert await service.files() == service.served_files()


async def test_a_dataset_that_is_withdrawn_or_no_longer_wanted_stays(service: Service) -> None:
    with service.served():
        await service.settle()
    service.folder = service.place / "empty"
    service.folder.mkdir()
    with service.served():
        for _ in range(3):
            await service.turn()
    assert (await service.dataset()).missing == []
    assert len(await service.jobs(Stage.CALIBRATE)) == 1
    async with service.database.transaction() as session:
        await session.execute(update(CatalogueEntryRow).values(wanted=False, missing_since=None))
    await scan_archives(service.database, service.archives, Outbox())
    assert (await service.dataset()).missing == []
    assert len(await service.jobs(Stage.FETCH)) == 1


async def test_one_archive_is_down_and_the_next_one_serves(service: Service) -> None:
    service.catalogues = ["mast", "s3"]
    down = FaultRule(path="/api/v0.1/Download/*", kind="status", status=503, times=0)
    with service.served([down]), capture_logs() as lines:
        await service.settle()
    assert await service.files() == service.served_files()
    assert len(await service.jobs(Stage.CALIBRATE)) == 1
    assert {
        line["catalogue"] for line in lines if line["event"] == "catalogue does not answer"
    } == {"mast"}


async def test_an_archive_that_fails_with_one_file_is_asked_for_others(service: Service) -> None:
    fault = FaultRule(path=f"*Download*{_RAW}*", kind="status", status=500, times=0)
    with service.served([fault]) as requests, capture_logs() as lines:
        for _ in range(4):
            await service.turn()
        assert await available(service.database, ["mast"]) == ["mast"]
    assert any(_SPT in line for line in requests)
    events = [line["event"] for line in lines]
    assert "not to be had from this archive" in events
    assert "catalogue does not answer" not in events
    (job,) = await service.jobs(Stage.FETCH)
    assert job.state is JobState.QUEUED
