"""Scans and fetches, on a real Postgres, a real broker and a real association cut down to one
exposure.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from sqlalchemy import select, text, update

from cosmo.launcher.embedded import EmbeddedValkey
from services.archive.aside import OLDER, PRODUCT
from services.archive.downloads import Downloader
from services.archive.fetch import FetchService
from services.archive.scan import ScanResult, scan
from services.archive.scanner import Scanner
from services.archive.sources import open_source
from shared.calcos_version import publish_calcos_version
from shared.database.engine import Database
from shared.database.models.operations import (
    Dataset,
    Event,
    File,
    Job,
    JobState,
    Scan,
    SourceFile,
    Stage,
)
from shared.errors import TransientError
from shared.jobs import operations
from shared.jobs.events import Outbox
from shared.jobs.runner import JobRunner
from shared.settings import ArchiveSettings, JobSettings
from shared.store import Store, sha256_of
from shared.worker.broker import Messenger, make_broker

pytestmark = pytest.mark.integration

_RAW, _SPT, _JIT = "ldfd01vnq_rawtag_a.fits.gz", "ldfd01vnq_spt.fits.gz", "ldfd01010_jit.fits.gz"


class Archive:
    """The archive service as a test drives it."""

    def __init__(self, database: Database, messenger: Messenger, folder: Path, store: Path) -> None:
        self.database = database
        self.messenger = messenger
        self.folder = folder
        self.store = store
        self.url = str(folder)
        self.references: Path | None = None
        self.bulk_above = 100

    async def scan(self) -> ScanResult:
        """Look at the source, and do every fetch job that is due."""
        result = await scan(
            self.database, open_source(self.url), Outbox(), self.references, self.bulk_above
        )
        service = FetchService(
            self.database,
            Store(self.store.as_uri()),
            Downloader(self.store / "downloads", ArchiveSettings()),
            randseed=1,
        )
        runner = JobRunner(
            self.database,
            self.messenger,
            JobSettings(max_attempts=1),
            {Stage.FETCH: service.fetch},
            "tester",
        )
        for job in await self.jobs(Stage.FETCH):
            if job.state is JobState.QUEUED:
                await runner.run(job.id)
        return result

    async def publish(self, calcos: str) -> None:
        """Publish a version of CalCOS, as a calibrator does at its start."""
        async with self.database.transaction() as session:
            await publish_calcos_version(session, calcos)

    async def fetch_again(self) -> None:
        """Do the fetch job of the source's only dataset once more."""
        async with self.database.transaction() as session:
            fetch = Job.stage == Stage.FETCH
            await session.execute(update(Job).where(fetch).values(state=JobState.QUEUED))
        await self.scan()

    async def dataset(self, rootname: str = "ldfd01010") -> Dataset:
        async with self.database.session() as session:
            return (
                await session.execute(select(Dataset).where(Dataset.rootname == rootname))
            ).scalar_one()

    async def jobs(self, stage: Stage) -> list[Job]:
        async with self.database.session() as session:
            return list(
                (
                    await session.execute(select(Job).where(Job.stage == stage).order_by(Job.id))
                ).scalars()
            )

    async def events(self, name: str) -> list[dict[str, Any]]:
        """List the details of the events of a name."""
        async with self.database.session() as session:
            rows = await session.execute(
                select(Event.detail).where(Event.name == name).order_by(Event.id)
            )
            return list(rows.scalars())

    async def current(self, rootname: str = "ldfd01010") -> set[str]:
        """Return the names of a dataset's current files."""
        async with self.database.session() as session:
            rows = select(File.name).join(Dataset).where(Dataset.rootname == rootname, File.current)
            return set((await session.execute(rows)).scalars())

    async def force(self) -> None:
        async with self.database.transaction() as session:
            await operations.force(session, "ldfd01010")

    def stored(self) -> dict[Path, int]:
        """Return every file in the store, and when it was written."""
        return {path: path.stat().st_mtime_ns for path in self.store.rglob("*.fits*")}


@pytest.fixture
async def archive(
    database: Database, valkey: EmbeddedValkey, data_dir: Path, tmp_path: Path
) -> AsyncIterator[Archive]:
    raw, folder = data_dir / "ldfd01010" / "raw", tmp_path / "source"
    (folder / "visit").mkdir(parents=True)
    for name in (_RAW, _SPT, _JIT):
        shutil.copyfile(raw / name, folder / "visit" / name)
    _write_table(raw, folder / "ldfd01010_asn.fits")
    broker = make_broker(valkey.url)
    broker.client.flushall()
    yield Archive(database, Messenger(broker), folder, tmp_path / "store")
    broker.close()


def _write_table(raw: Path, target: Path, **keywords: str) -> None:
    """Write the table of an association of the first exposure alone."""
    with fits.open(raw / "ldfd01010_asn.fits.gz") as hdus:
        hdus["ASN"].data = hdus["ASN"].data[[0, 4]]
        hdus[0].header.update(keywords)
        hdus.writeto(target, overwrite=True)


async def test_many_datasets_at_once_are_bulk_work(archive: Archive) -> None:
    archive.bulk_above = 0
    await archive.scan()
    assert [
        job.queue for stage in (Stage.FETCH, Stage.CALIBRATE) for job in await archive.jobs(stage)
    ] == [
        "fetch-bulk",
        "calibrate-bulk",
    ]


async def test_unchanged_files_are_not_copied_again(archive: Archive) -> None:
    result = await archive.scan()
    assert (result.files, result.changed, result.datasets) == (4, 4, 1)
    assert await archive.current() == {"ldfd01010_asn.fits", _RAW, _SPT, _JIT}
    before = archive.stored()
    result = await archive.scan()
    assert (result.files, result.changed) == (4, 0)
    assert len(await archive.jobs(Stage.FETCH)) == 1

    with fits.open(archive.folder / "ldfd01010_asn.fits", mode="update") as hdus:
        hdus[0].header["COMMENT"] = "another version"
    assert (await archive.scan()).changed == 1
    after = archive.stored()
    assert before.items() <= after.items()
    assert [path.name for path in after.keys() - before.keys()] == ["ldfd01010_asn.fits"]
    assert await archive.current() == {"ldfd01010_asn.fits", _RAW, _SPT, _JIT}
    states = [job.state for job in await archive.jobs(Stage.CALIBRATE)]
    assert states == [JobState.SUPERSEDED, JobState.QUEUED]


async def test_files_of_a_web_server_are_downloaded(
    archive: Archive, serve: Callable[[Path], Any]
) -> None:
    archive.url = serve(archive.folder).url
    await archive.scan()
    assert await archive.current() == {"ldfd01010_asn.fits", _RAW, _SPT, _JIT}
    (fetched,) = await archive.events("dataset.fetched")
    assert fetched["files"] == {
        path.name: sha256_of(path) for path in archive.folder.rglob("*.fits*")
    }
    assert list((archive.store / "downloads").iterdir()) == []


async def test_incomplete_goes_on_by_itself(archive: Archive, data_dir: Path) -> None:
    (archive.folder / "visit" / _SPT).unlink()
    await archive.scan()
    assert (await archive.dataset()).missing == ["ldfd01vnq_spt"]
    assert await archive.events("dataset.incomplete") == [{"missing": ["ldfd01vnq_spt"]}]
    assert await archive.jobs(Stage.FETCH) == []
    shutil.copyfile(data_dir / "ldfd01010" / "raw" / _SPT, archive.folder / "visit" / _SPT)
    await archive.scan()
    assert (await archive.dataset()).missing == []
    (fetched,) = await archive.events("dataset.fetched")
    assert fetched["accepted_missing"] == []


async def test_forced_set_records_what_was_let_go(archive: Archive, data_dir: Path) -> None:
    (archive.folder / "visit" / _SPT).unlink()
    await archive.scan()
    await archive.force()
    await archive.scan()
    (fetch,) = await archive.jobs(Stage.FETCH)
    assert (fetch.state, fetch.payload["accepted_missing"]) == (JobState.DONE, ["ldfd01vnq_spt"])
    (fetched,) = await archive.events("dataset.fetched")
    assert fetched["accepted_missing"] == ["ldfd01vnq_spt"]
    assert fetched["depends_on"]["calibrate"]["accepted_missing"] == ["ldfd01vnq_spt"]
    assert len(await archive.jobs(Stage.CALIBRATE)) == 1
    await archive.scan()
    assert len(await archive.jobs(Stage.FETCH)) == 1

    # what goes missing later was never let go
    (archive.folder / "visit" / _RAW).unlink()
    await archive.scan()
    dataset = await archive.dataset()
    assert (dataset.missing, dataset.forced) == (["ldfd01vnq_raw*", "ldfd01vnq_spt"], False)
    assert len(await archive.jobs(Stage.FETCH)) == 1

    # what arrives is used, and the leave ends with it
    for name in (_RAW, _SPT):
        shutil.copyfile(data_dir / "ldfd01010" / "raw" / name, archive.folder / "visit" / name)
    await archive.scan()
    dataset = await archive.dataset()
    assert (dataset.missing, dataset.forced) == ([], False)
    assert (await archive.events("dataset.fetched"))[-1]["accepted_missing"] == []
    assert [job.state for job in await archive.jobs(Stage.CALIBRATE)] == [
        JobState.SUPERSEDED,
        JobState.QUEUED,
    ]


async def test_exposure_of_two_associations_is_fetched_for_both(
    archive: Archive, data_dir: Path
) -> None:
    second = archive.folder / "ldfd01020_asn.fits"
    _write_table(data_dir / "ldfd01010" / "raw", second)
    await archive.scan()
    for rootname, jitter in (("ldfd01010", {_JIT}), ("ldfd01020", set())):
        assert await archive.current(rootname) == {f"{rootname}_asn.fits", _RAW, _SPT, *jitter}
    assert len(await archive.jobs(Stage.CALIBRATE)) == 2

    before = archive.stored()
    for rootname in ("ldfd01020", "ldfd01010"):
        with fits.open(archive.folder / f"{rootname}_asn.fits", mode="update") as hdus:
            hdus[0].header["COMMENT"] = "another version"
    await archive.scan()
    new = archive.stored().keys() - before.keys()
    assert {path.name for path in new} == {"ldfd01010_asn.fits", "ldfd01020_asn.fits"}
    for rootname, jitter in (("ldfd01010", {_JIT}), ("ldfd01020", set())):
        assert await archive.current(rootname) == {f"{rootname}_asn.fits", _RAW, _SPT, *jitter}


async def test_vanished_companion_is_no_input_any_more(archive: Archive) -> None:
    await archive.scan()
    (archive.folder / "visit" / _JIT).unlink()
    await archive.scan()
    assert await archive.current() == {"ldfd01010_asn.fits", _RAW, _SPT}
    assert len(await archive.jobs(Stage.CALIBRATE)) == 1


async def test_newer_version_is_taken_and_the_choice_recorded(
    archive: Archive, data_dir: Path
) -> None:
    old, new = archive.folder / "a_old", archive.folder / "b_new"
    for folder in (old, new):
        folder.mkdir()
    (archive.folder / "visit" / _RAW).rename(new / _RAW)
    shutil.copyfile(data_dir / "ldfd01010" / "raw" / "ldfd01vpq_rawtag_a.fits.gz", old / _RAW)
    os.utime(old / _RAW, (1e9, 1e9))
    result = await archive.scan()
    assert result.left_aside == {OLDER: {"count": 1, "names": [_RAW]}}
    (fetched,) = await archive.events("dataset.fetched")
    assert fetched["files"][_RAW] == sha256_of(new / _RAW)
    dataset = await archive.dataset()
    assert f"older than {(new / _RAW).as_uri()}" in dataset.left_aside[(old / _RAW).as_uri()]
    assert await archive.events("dataset.left_aside") == [{"left_aside": dataset.left_aside}]

    # nothing is read or recorded again, and what becomes newer is taken
    assert (await archive.scan()).changed == 0
    assert len(await archive.events("dataset.left_aside")) == 1
    os.utime(old / _RAW, (4e9, 4e9))
    await archive.scan()
    assert (await archive.events("dataset.fetched"))[-1]["files"][_RAW] == sha256_of(old / _RAW)
    assert list((await archive.dataset()).left_aside) == [(new / _RAW).as_uri()]


async def test_equally_new_versions_that_differ_hold_their_dataset_up(
    archive: Archive, data_dir: Path
) -> None:
    visit, other = archive.folder / "visit", archive.folder / "other"
    other.mkdir()
    shutil.copyfile(visit / _SPT, other / _SPT)
    for path in (visit / _SPT, other / _SPT):
        os.utime(path, (1e9, 1e9))
    await archive.scan()
    assert (await archive.dataset()).missing == []

    shutil.copyfile(data_dir / "ldfd01010" / "raw" / "ldfd01vpq_spt.fits.gz", other / _SPT)
    os.utime(other / _SPT, (1e9, 1e9))
    for _ in range(2):
        await archive.scan()
        missing, conflict = (await archive.dataset()).missing
        assert missing == "ldfd01vnq_spt"
        assert (
            f"{(other / _SPT).as_uri()} and {(visit / _SPT).as_uri()} are equally new and differ"
            in conflict
        )
    assert len(await archive.jobs(Stage.FETCH)) == 1

    (other / _SPT).unlink()
    await archive.scan()
    assert (await archive.dataset()).missing == []


async def test_unchanged_versions_are_not_read_again(
    archive: Archive, serve: Callable[[Path], Any]
) -> None:
    (archive.folder / "other").mkdir()
    shutil.copyfile(archive.folder / "visit" / _SPT, archive.folder / "other" / _SPT)
    server = serve(archive.folder)
    archive.url = server.url
    await archive.scan()
    assert (await archive.dataset()).missing == []
    server.locked |= {f"{place}/{_SPT}" for place in ("visit", "other")}
    assert (await archive.scan()).unreadable == {}


async def test_what_is_left_aside_is_counted_by_its_reason(
    archive: Archive, data_dir: Path
) -> None:
    raw = data_dir / "ldfd01010" / "raw"
    for name in (
        "ldfd01vnq_x1d.fits",
        "ldfd01vnq_rawtag_a (1).fits",
        "a.zip",
        "ldfd01vnq_spt.fits.fz",
        "README.txt",
    ):
        (archive.folder / name).write_bytes(b"1")
    shutil.copyfile(raw / "ldfd01vrq_spt.fits.gz", archive.folder / "ldfd01vrq_pha_a.fits.gz")
    _write_table(raw, archive.folder / "o6gp01020_asn.fits", INSTRUME="STIS")
    with fits.open(archive.folder / "ldfd01010_asn.fits", mode="update") as hdus:
        hdus["ASN"].data["MEMPRSNT"] = [False, True]
    result = await archive.scan()
    assert {
        reason.split(";")[0]: files["count"] for reason, files in result.left_aside.items()
    } == {
        "calibrated products": 1,
        "copies by their names": 1,
        "packed files": 1,
        "tile-compressed files, which CalCOS does not read": 1,
        "files with names that are not of COS": 1,
        "files of exposures without raw data": 1,
        "files of another instrument (STIS)": 1,
        "files of exposures that their association leaves out": 2,
    }
    assert result.datasets == 1
    async with archive.database.session() as session:
        summary = (await session.execute(select(Scan.left_aside))).scalar_one()
    assert summary[PRODUCT] == {"count": 1, "names": ["ldfd01vnq_x1d.fits"]}
    assert list((await archive.dataset()).left_aside) == ["ldfd01vnq"]


async def test_names_in_upper_case_are_stored_as_calcos_finds_them(archive: Archive) -> None:
    for path in [*archive.folder.glob("*.fits"), *(archive.folder / "visit").iterdir()]:
        path.rename(path.with_name(path.name.upper()))
    await archive.scan()
    assert await archive.current() == {"ldfd01010_asn.fits", _RAW, _SPT, _JIT}
    assert (await archive.dataset()).members == ["ldfd01vnq"]


async def test_later_acquisition_becomes_a_companion(archive: Archive, data_dir: Path) -> None:
    await archive.scan()
    assert (await archive.dataset()).companions == []
    for name in ("ldfd01vlq_rawacq.fits.gz", "ldfd01vlq_spt.fits.gz"):
        shutil.copyfile(data_dir / "ldfd01010" / "raw" / name, archive.folder / name)
    await archive.scan()
    assert (await archive.dataset()).companions == ["ldfd01vlq"]
    assert len(await archive.jobs(Stage.FETCH)) == 2


async def test_unreadable_folder_changes_nothing_known_and_the_rest_goes_on(
    archive: Archive, data_dir: Path, serve: Callable[[Path], Any]
) -> None:
    server = serve(archive.folder)
    archive.url = server.url
    await archive.scan()
    server.locked.add("visit")
    for name in ("ldfd01vlq_rawacq.fits.gz", "ldfd01vlq_spt.fits.gz"):
        shutil.copyfile(data_dir / "ldfd01010" / "raw" / name, archive.folder / name)
    result = await archive.scan()
    assert list(result.unreadable) == [f"{server.url}/visit/"]
    assert (await archive.dataset()).missing == []
    assert await archive.events("dataset.incomplete") == []
    assert await archive.current("ldfd01vlq") == {
        "ldfd01vlq_rawacq.fits.gz",
        "ldfd01vlq_spt.fits.gz",
    }
    server.locked.clear()
    assert (await archive.scan()).unreadable == {}
    assert len(await archive.jobs(Stage.FETCH)) == 2


async def test_file_that_cannot_be_read_is_looked_at_again(
    archive: Archive, serve: Callable[[Path], Any]
) -> None:
    server = serve(archive.folder)
    archive.url = server.url
    server.locked.add(f"visit/{_RAW}")
    result = await archive.scan()
    assert list(result.unreadable) == [f"{server.url}/visit/{_RAW}"]
    assert (await archive.dataset()).missing == ["ldfd01vnq_raw*"]
    server.locked.clear()
    await archive.scan()
    assert (await archive.dataset()).missing == []
    assert len(await archive.events("dataset.fetched")) == 1


async def test_facts_of_an_earlier_version_are_read_again(archive: Archive) -> None:
    path = archive.folder / "visit" / _RAW
    with fits.open(path) as hdus:
        hdus[0].header["DETECTHV"] = "NomAB"
        hdus.writeto(path.with_suffix(""))
    path.unlink()
    await archive.scan()
    assert (await archive.dataset()).missing == ["ldfd01vnq_rawtag_b"]
    earlier = {
        "members": [],
        "asn_id": "ldfd01010",
        "segment": "FUVA",
        "acquisitions": [],
        "error": "",
    }
    async with archive.database.transaction() as session:
        await session.execute(
            update(SourceFile).where(SourceFile.stem == "ldfd01vnq_rawtag_a").values(facts=earlier)
        )
        await session.execute(update(Dataset).values(missing=[]))
    assert (await archive.scan()).changed == 0
    assert (await archive.dataset()).missing == ["ldfd01vnq_rawtag_b"]
    async with archive.database.session() as session:
        facts = select(SourceFile.facts).where(SourceFile.stem == "ldfd01vnq_rawtag_a")
        assert (await session.execute(facts)).scalar_one()["segments"] == ["FUVA", "FUVB"]


async def test_no_source_is_an_error_and_changes_nothing(archive: Archive) -> None:
    await archive.scan()
    archive.folder.rename(archive.folder.with_name("away"))
    with pytest.raises(TransientError, match="check its address"):
        await archive.scan()
    assert (await archive.dataset()).missing == []


async def test_scanning_outlives_a_fault_of_the_database(archive: Archive) -> None:
    settings = ArchiveSettings(sources=[archive.url], scan_seconds=0.05)

    async def run(statement: str) -> None:
        async with archive.database.transaction() as session:
            await session.execute(text(statement))

    await run("ALTER TABLE source_files RENAME TO elsewhere")
    scanning = asyncio.ensure_future(
        Scanner(archive.database, archive.messenger, settings).keep_scanning()
    )
    try:
        await asyncio.sleep(0.5)
        assert not scanning.done()
    finally:
        await run("ALTER TABLE elsewhere RENAME TO source_files")
    try:
        async with asyncio.timeout(60):
            while not await archive.jobs(Stage.FETCH):  # noqa: ASYNC110 - it waits for a row, not for a task
                await asyncio.sleep(0.05)
    finally:
        scanning.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await scanning


async def test_an_upgraded_calcos_keeps_no_fingerprints(archive: Archive) -> None:
    """The same raw files, fetched again: work for the new CalCOS, and none for the one that was."""
    await archive.publish("3.6.2")
    await archive.scan()
    (first,) = await archive.jobs(Stage.CALIBRATE)
    for version, jobs in (("3.6.2", 1), ("3.7.0", 2), ("3.7.0", 2)):
        await archive.publish(version)
        await archive.fetch_again()
        assert len(await archive.jobs(Stage.CALIBRATE)) == jobs
    old, new = await archive.jobs(Stage.CALIBRATE)
    assert (old.id, old.state, new.state) == (first.id, JobState.SUPERSEDED, JobState.QUEUED)
    assert old.fingerprint == first.fingerprint != new.fingerprint


async def test_scans_need_no_calibrator(archive: Archive) -> None:
    """What was fetched before a calibrator ever ran is its work, and that once."""
    await archive.scan()
    (first,) = await archive.jobs(Stage.CALIBRATE)
    await archive.publish("3.6.2")
    await archive.scan()
    (job,) = await archive.jobs(Stage.CALIBRATE)
    assert (job.id, job.state) == (first.id, JobState.QUEUED)


async def test_changed_reference_is_new_work(archive: Archive, tmp_path: Path) -> None:
    archive.references = tmp_path / "references"
    archive.references.mkdir()
    await archive.scan()
    (first,) = await archive.jobs(Stage.CALIBRATE)
    before = archive.stored()

    # a file that no header names
    (archive.references / "x_lamp.fits").write_bytes(b"one")
    await archive.scan()
    assert len(await archive.jobs(Stage.FETCH)) == 1

    # it arrives, and it changes without a change of its size
    lamp = archive.references / "23n1744jl_lamp.fits.gz"
    for content in (b"one", b"two"):
        lamp.write_bytes(content)
        await archive.scan()
        await archive.scan()
    jobs = await archive.jobs(Stage.CALIBRATE)
    assert [job.state for job in jobs] == [
        JobState.SUPERSEDED,
        JobState.SUPERSEDED,
        JobState.QUEUED,
    ]
    assert len({job.fingerprint for job in jobs}) == 3
    fetched = [
        event["references"][lamp.name.removesuffix(".gz")]
        for event in await archive.events("dataset.fetched")
    ]
    assert fetched == [None, *(hashlib.sha256(content).hexdigest() for content in (b"one", b"two"))]

    # nothing was copied, and nothing else is done again
    assert archive.stored() == before
    assert len(await archive.jobs(Stage.INGEST_RAW)) == 1

    # a reference that comes back is the earlier work, done again
    lamp.unlink()
    await archive.scan()
    (current,) = [
        job for job in await archive.jobs(Stage.CALIBRATE) if job.state is JobState.QUEUED
    ]
    assert current.id == first.id
