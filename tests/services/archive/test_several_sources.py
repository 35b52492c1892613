"""Datasets that several sources have: each comes from one of them."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from services.archive.scan import scan
from services.archive.sources import open_source
from shared.database.engine import Database
from shared.database.models.operations import Dataset, Job
from shared.jobs.events import Outbox

pytestmark = pytest.mark.integration

_SPT, _ACQ = "ldfd01vlq_spt.fits.gz", "ldfd01vlq_rawacq.fits.gz"


async def _scan(database: Database, *folders: Path) -> None:
    """Scan folders in their order, as one service does."""
    sources = [open_source(str(folder)) for folder in folders]
    for source in sources:
        await scan(database, source, Outbox(), sources=[one.url for one in sources])


async def _sources(database: Database) -> list[str]:
    """Return the names of the folders from which fetch jobs were to copy, oldest first."""
    async with database.session() as session:
        payloads = (await session.execute(select(Job.payload).order_by(Job.id))).scalars()
        return [payload["source"].rsplit("/", 1)[-1] for payload in payloads]


@pytest.fixture
def folders(data_dir: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return two folders that have one acquisition, of other times of change."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        for name in (_SPT, _ACQ):
            shutil.copyfile(data_dir / "ldfd01010" / "raw" / name, folder / name)
    return first, second


async def test_sources_do_not_take_turns(database: Database, folders: tuple[Path, Path]) -> None:
    first, second = folders
    await _scan(database, first, second)
    for folder in folders:
        (folder / _SPT).touch()
    await _scan(database, first, second)
    (second / _SPT).touch()
    await _scan(database, first, second)
    assert await _sources(database) == ["first", "first"]  # the second one was touched


async def test_another_source_takes_over_what_the_first_has_no_longer(
    database: Database, folders: tuple[Path, Path]
) -> None:
    first, second = folders
    await _scan(database, first, second)
    for path in first.iterdir():
        path.unlink()
    await _scan(database, first, second)
    assert await _sources(database) == ["first", "second"]


async def test_another_source_takes_over_what_the_first_has_not_all_of(
    database: Database, folders: tuple[Path, Path]
) -> None:
    first, second = folders
    (first / _SPT).unlink()
    await _scan(database, first, second)
    assert await _sources(database) == ["second"]
    async with database.session() as session:
        (dataset,) = (await session.execute(select(Dataset))).scalars()
    assert dataset.missing == []
    await _scan(database, first)  # alone, as a command does
    assert await _sources(database) == ["second"]
