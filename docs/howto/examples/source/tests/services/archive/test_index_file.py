"""Lists of paths as sources."""

from pathlib import Path

import pytest
from astropy.io import fits
from sqlalchemy import select

from services.archive.scan import scan
from services.archive.sources import open_source
from shared.database.engine import Database
from shared.database.models.operations import Dataset
from shared.errors import TransientError
from shared.jobs.events import Outbox


def _write_list(folder: Path) -> str:
    exposure = folder / "ldtest01q_rawacq.fits"
    primary = fits.PrimaryHDU()
    primary.header.update(ROOTNAME="ldtest01q", INSTRUME="COS", EXPTYPE="ACQ/IMAGE")
    primary.writeto(exposure)
    (folder / "notes.md").write_text("nothing")
    paths = [exposure, folder / "notes.md", folder / "ldtest02q_rawacq.fits"]
    (folder / "files.txt").write_text("\n".join(map(str, paths)))
    return f"index:{folder / 'files.txt'}"


def test_what_the_list_names_is_listed_and_read_from_any_byte_on(tmp_path: Path) -> None:
    source = open_source(_write_list(tmp_path))
    listing = source.list()
    assert [file.stem for file in listing.files] == ["ldtest01q_rawacq"]
    assert [url.rpartition("/")[2] for url in listing.others] == ["notes.md"]
    assert [url.rpartition("/")[2] for url in listing.unreadable] == ["ldtest02q_rawacq.fits"]
    with source.open(listing.files[0], start=80) as stream:
        assert stream.read() == (tmp_path / "ldtest01q_rawacq.fits").read_bytes()[80:]


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=r"gone\.txt"):
        open_source(f"index:{tmp_path}/gone.txt").list()


@pytest.mark.integration
async def test_a_scan_finds_its_datasets(database: Database, tmp_path: Path) -> None:
    result = await scan(database, open_source(_write_list(tmp_path)), Outbox())
    assert (result.files, result.datasets) == (1, 1)
    async with database.session() as session:
        found = (await session.execute(select(Dataset.rootname))).scalars().all()
    assert found == ["ldtest01q"]
