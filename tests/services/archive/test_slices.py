"""Scans in slices: whatever fails in between, the next scan goes on, and nothing else waits."""

import asyncio
import contextlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from sqlalchemy import func, select

from services.archive import datasets, headers, regrouping, visits
from services.archive.aside import UNHANDLED
from services.archive.grouping import group
from services.archive.scan import ScanResult, scan
from services.archive.scanner import Scanner
from services.archive.sources import open_source
from shared.database.engine import Database
from shared.database.models.operations import (
    Dataset,
    Event,
    Job,
    Scan,
    SourceFile,
    SourceVisit,
    Stage,
)
from shared.errors import OutageError
from shared.jobs.events import Outbox
from shared.settings import ArchiveSettings
from shared.worker.broker import Messenger

pytestmark = pytest.mark.integration

_EXPOSURES = [f"lab{visit}01{number}0q" for visit in "xyz" for number in range(3)]


class Folder:
    """A source of small files, each a header."""

    def __init__(self, folder: Path, header: fits.Header) -> None:
        self.path = folder
        self._header = header

    def add(self, exposure: str, association: str = "NONE") -> None:
        """Add a raw file and its support file."""
        for suffix in ("rawtag_a", "spt"):
            header = self._header.copy()
            header["ASN_ID"] = association.upper()
            fits.PrimaryHDU(header=header).writeto(self.path / f"{exposure}_{suffix}.fits")

    def add_table(self, association: str, members: list[str]) -> None:
        """Add an association table."""
        rows = [(name.upper(), "EXP-FP", True) for name in members]
        rows.append((association.upper(), "PROD-FP", True))
        names, kinds, present = zip(*rows, strict=True)
        columns = [
            fits.Column("MEMNAME", "14A", array=names),
            fits.Column("MEMTYPE", "14A", array=kinds),
            fits.Column("MEMPRSNT", "L", array=present),
        ]
        hdus = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)])
        hdus.writeto(self.path / f"{association}_asn.fits", overwrite=True)


@pytest.fixture(scope="module")
def header(data_dir: Path) -> fits.Header:
    """Primary header of a real raw file."""
    path = data_dir / "ldfd01010" / "raw" / "ldfd01vnq_rawtag_a.fits.gz"
    return fits.getheader(path)


@pytest.fixture
def folder(tmp_path: Path, header: fits.Header) -> Folder:
    made = Folder(tmp_path / "source", header)
    made.path.mkdir()
    return made


@pytest.fixture
def full(folder: Folder) -> Folder:
    """Nine exposures of three visits."""
    for exposure in _EXPOSURES:
        folder.add(exposure)
    return folder


async def _scan(database: Database, folder: Folder, bulk_above: int = 100) -> ScanResult:
    return await scan(database, open_source(str(folder.path)), Outbox(), bulk_above=bulk_above)


async def _missing(database: Database) -> dict[str, list[Any]]:
    async with database.session() as session:
        rows = await session.execute(select(Dataset.rootname, Dataset.missing))
        return {dataset.rootname: dataset.missing for dataset in rows}


async def _counts(database: Database) -> dict[str, int]:
    """Count what scans write."""
    tables = {"datasets": Dataset, "events": Event, "jobs": Job}
    async with database.session() as session:
        return {
            name: int(await session.scalar(select(func.count()).select_from(table)) or 0)
            for name, table in tables.items()
        }


async def _pending(database: Database) -> set[str]:
    async with database.session() as session:
        rows = select(SourceVisit.visit).where(SourceVisit.pending > 0)
        return set((await session.execute(rows)).scalars())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make slices of one file or dataset."""
    monkeypatch.setattr(headers, "_SLICE", 1)
    monkeypatch.setattr(regrouping, "_FILES", 1)
    monkeypatch.setattr(regrouping, "_DATASETS", 1)


def _failing(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, fails: Callable[[int, Any], bool]
) -> None:
    """Let the calls of a function fail that are chosen by their number and arguments."""
    whole, calls = getattr(place, name), list[None]()

    async def call(*arguments: Any) -> Any:
        calls.append(None)
        if fails(len(calls), arguments):
            raise OutageError("away")
        return await whole(*arguments)

    monkeypatch.setattr(place, name, call)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("place", [(headers, "_write"), (regrouping, "write_datasets")])
@pytest.mark.parametrize("number", [1, 2, 7])
async def test_scan_that_breaks_off_is_gone_on_with(
    place: tuple[Any, str],
    number: int,
    database: Database,
    full: Folder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        _failing(patch, *place, lambda call, _: call == number)
        with pytest.raises(OutageError):
            await _scan(database, full)
    before = await _counts(database)
    written = number - 1 if place[0] is regrouping else 0
    assert before == {"datasets": written, "events": written, "jobs": written}
    result = await _scan(database, full)
    assert (result.files, result.datasets) == (18, 9)
    assert await _counts(database) == {"datasets": 9, "events": 9, "jobs": 9}
    assert await _pending(database) == set()
    # What was written is not written again.
    assert (await _scan(database, full)).changed == 0
    assert await _counts(database) == {"datasets": 9, "events": 9, "jobs": 9}


async def test_dataset_that_cannot_be_handled_costs_itself(
    database: Database, full: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = datasets.fetch_of

    def fetch(source: str, one: datasets.DatasetInput) -> Any:
        if one.listing.rootname == _EXPOSURES[4]:
            raise KeyError("a defect")
        return whole(source, one)

    monkeypatch.setattr(datasets, "fetch_of", fetch)
    for _ in range(2):
        result = await _scan(database, full)
        assert result.failed == {_EXPOSURES[4]: "'a defect'"}
        assert result.left_aside[UNHANDLED] == {"count": 1, "names": [_EXPOSURES[4]]}
        assert (await _missing(database)).keys() == set(_EXPOSURES) - {_EXPOSURES[4]}
        assert await _pending(database) == {_EXPOSURES[4][:6]}
    # What is withdrawn meanwhile is reported as ever.
    (full.path / f"{_EXPOSURES[0]}_spt.fits").unlink()
    await _scan(database, full)
    assert (await _missing(database))[_EXPOSURES[0]] == [f"{_EXPOSURES[0]}_spt"]
    monkeypatch.setattr(datasets, "fetch_of", whole)
    assert (await _scan(database, full)).failed == {}
    assert (await _missing(database)).keys() == set(_EXPOSURES)


async def test_files_that_cannot_be_grouped_cost_their_visit(
    database: Database, full: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(files: Any, *arguments: Any) -> Any:
        if any(file.stem.startswith(_EXPOSURES[4]) for file in files):
            raise KeyError("a defect")
        return group(files, *arguments)

    monkeypatch.setattr(visits, "group", fail)
    result = await _scan(database, full)
    assert result.failed == {_EXPOSURES[4][:6]: "'a defect'"}
    assert len(await _missing(database)) == 6


async def test_listing_that_breaks_off_withdraws_nothing(
    database: Database, full: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _scan(database, full)
    source = open_source(str(full.path))

    def pages() -> Any:
        yield type(next(open_source(str(full.path)).pages()))()
        raise OutageError("away")

    monkeypatch.setattr(source, "pages", pages)
    with pytest.raises(OutageError):
        await scan(database, source, Outbox())
    async with database.session() as session:
        assert await session.scalar(select(func.bool_and(SourceFile.present)))


@pytest.mark.usefixtures("small")
async def test_association_of_exposures_of_another_visit(
    database: Database, folder: Folder
) -> None:
    """Its table comes after them, changes, and goes."""
    first, second = "labx0110q", "laby0120q"
    folder.add(first)
    folder.add(second)
    await _scan(database, folder)
    assert (await _missing(database)).keys() == {first, second}

    async def members() -> Any:
        async with database.session() as session:
            rows = await session.execute(
                select(SourceFile.name, SourceFile.dataset).where(SourceFile.present)
            )
            return {name.partition("_")[0]: dataset for name, dataset in rows}

    folder.add_table("labz01010", [first, second])
    result = await _scan(database, folder)
    assert (result.changed, result.datasets) == (1, 1)
    assert set((await members()).values()) == {"labz01010"}
    folder.add_table("labz01010", [first])
    assert (await _scan(database, folder)).datasets == 2
    assert await members() == {"labz01010": "labz01010", first: "labz01010", second: second}
    (folder.path / "labz01010_asn.fits").unlink()
    assert (await _scan(database, folder)).datasets == 2
    assert await members() == {first: first, second: second}


async def test_what_comes_beyond_a_number_of_jobs_is_bulk_work(
    database: Database, full: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regrouping, "_DATASETS", 2)
    await _scan(database, full, bulk_above=5)
    async with database.session() as session:
        rows = await session.execute(select(Job.queue).order_by(Job.id))
    assert list(rows.scalars()) == ["fetch"] * 4 + ["fetch-bulk"] * 5


async def test_unchanged_files_are_not_opened(
    database: Database, full: Folder, serve: Callable[[Path], Any]
) -> None:
    server = serve(full.path)
    source = open_source(server.url)
    await scan(database, source, Outbox())
    server.locked |= {path.name for path in full.path.iterdir()}
    result = await scan(database, source, Outbox())
    assert (result.files, result.changed, result.unreadable) == (18, 0, {})


async def test_versions_of_one_size_and_time_differ(database: Database, full: Folder) -> None:
    async def identities() -> list[str]:
        async with database.session() as session:
            rows = select(SourceFile.identity).where(SourceFile.stem == f"{_EXPOSURES[0]}_spt")
            return list((await session.execute(rows.order_by(SourceFile.url))).scalars())

    (full.path / "copy").mkdir()
    name = f"{_EXPOSURES[0]}_spt.fits"
    (full.path / "copy" / name).hardlink_to(full.path / name)
    await _scan(database, full)
    first, second = await identities()
    assert first != second
    assert (await _scan(database, full)).changed == 0
    assert await identities() == [first, second]


async def test_one_of_many_services_scans(
    database: Database, messenger: Messenger, full: Folder
) -> None:
    settings = ArchiveSettings(sources=[str(full.path)], scan_seconds=0.2)
    services = [
        asyncio.ensure_future(Scanner(database, messenger, settings).keep_scanning())
        for _ in range(3)
    ]

    async def scans() -> list[Scan]:
        async with database.session() as session:
            return list((await session.execute(select(Scan).order_by(Scan.id))).scalars())

    try:
        async with asyncio.timeout(30):
            while len(await scans()) < 3:  # noqa: ASYNC110 - it waits for rows, not for a task
                await asyncio.sleep(0.05)
    finally:
        for service in services:
            service.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await service
    found = await scans()
    assert all(earlier.finished_at <= later.started_at for earlier, later in pairwise(found))
    assert await _counts(database) == {"datasets": 9, "events": 9, "jobs": 9}
    async with database.session() as session:
        assert set((await session.execute(select(Job.stage))).scalars()) == {Stage.FETCH}
