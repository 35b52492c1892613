"""Discovery of what the stand-in archive serves as MAST."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from services.archive.catalogues import open_catalogue
from services.archive.discovery import Discovery
from shared.database.engine import Database
from shared.database.models.archive import (
    Access,
    CatalogueEntryRow,
    CatalogueFileRow,
    CatalogueHealth,
    CatalogueListing,
)
from shared.settings import ArchiveSettings
from shared.store import Store
from simulator.archive.faults import FaultRule
from simulator.archive.server import running_archive

pytestmark = pytest.mark.integration

_ROWS = 1000


@pytest.fixture
def folder(data_dir: Path, tmp_path: Path) -> Path:
    """Make a folder with an association, without its exposures."""
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.copy(data_dir / "ldfd01010" / "raw" / "ldfd01010_asn.fits.gz", folder)
    return folder


def _discovery(database: Database, url: str, folder: Path, **settings: object) -> Discovery:
    found = ArchiveSettings.model_validate(
        {
            "sources": ["mast"],
            "mast_url": url,
            "metadata_rate": 1000.0,
            "listing_seconds": 1e-6,
            "download_attempts": 1,
            "catalogue_pause_seconds": 0.01,
            **settings,
        }
    )
    return Discovery(database, [open_catalogue("mast", found)], found, Store(f"file://{folder}"))


async def _look_until(
    discovery: Discovery, database: Database, found: Callable[[CatalogueListing], bool]
) -> CatalogueListing:
    """Look again until a listing has found something: the stand-in looks at its folder at times."""
    while True:
        await discovery.look()
        listing = await _last(database)
        if found(listing):
            return listing


async def _last(database: Database) -> CatalogueListing:
    async with database.session() as session:
        query = select(CatalogueListing).order_by(CatalogueListing.id.desc()).limit(1)
        return (await session.execute(query)).scalar_one()


async def test_deliveries_and_withdrawals_are_found(
    database: Database, folder: Path, tmp_path: Path
) -> None:
    with running_archive(folder, rows=_ROWS) as url:
        discovery = _discovery(database, url, tmp_path, wanted={"targets": ["TARGET-1*"]})
        await discovery.look()
        first = await _last(database)
        assert (first.entries, first.new, first.error) == (_ROWS + 1, _ROWS + 1, None)
        (folder / "archive.toml").write_text(f"redelivered = {_ROWS // 100}\n")
        second = await _look_until(discovery, database, lambda listing: listing.changed > 0)
        assert (second.new, second.changed, second.missing) == (0, _ROWS // 100, 0)
        async with database.session() as session:
            again = select(CatalogueEntryRow.dataset).where(CatalogueEntryRow.delivery > 1)
            assert len((await session.execute(again)).all()) == _ROWS // 100
        (folder / "ldfd01010_asn.fits.gz").unlink()
        third = await _look_until(discovery, database, lambda listing: listing.missing > 0)
        assert (third.entries, third.changed, third.missing) == (_ROWS, 0, 1)


async def test_what_becomes_public_is_listed_with_its_files(
    database: Database, folder: Path, tmp_path: Path
) -> None:
    (folder / "archive.toml").write_text('[exclusive]\n"ldfd01010" = 2100-01-01\n')
    with running_archive(folder) as url:
        discovery = _discovery(database, url, tmp_path, wanted={"proposals": [14933]})
        await discovery.look()
        async with database.session() as session:
            found = await session.get_one(CatalogueEntryRow, "ldfd01010")
            assert (found.access, found.wanted) == (Access.EXCLUSIVE, True)
            assert (await session.execute(select(CatalogueFileRow))).all() == []
        (folder / "archive.toml").unlink()
        files: list[CatalogueFileRow] = []
        while not files:  # the stand-in looks at its folder now and then
            await discovery.look()
            async with database.session() as session:
                files = list((await session.execute(select(CatalogueFileRow))).scalars())
    (file,) = files
    assert (file.name, file.dataset) == ("ldfd01010_asn.fits.gz", "ldfd01010")
    assert (file.uri, file.access) == ("mast:HST/product/ldfd01010_asn.fits.gz", Access.PUBLIC)


async def test_a_failing_archive_is_noted(database: Database, folder: Path, tmp_path: Path) -> None:
    rules = [FaultRule(path="*/search*", kind="status", status=500, times=0)]
    with running_archive(folder, rules=rules) as url:
        assert not await _discovery(database, url, tmp_path).look()
    async with database.session() as session:
        health = await session.get_one(CatalogueHealth, "mast")
    assert health.failing_since is not None
    assert "500" in str(health.error)
    assert (await _last(database)).error == health.error
