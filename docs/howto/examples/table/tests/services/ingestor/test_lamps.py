"""Lamps of exposures, from a file to the table."""

from pathlib import Path

import pytest
from astropy.io import fits
from shared.database.models.science.lamps import LampUse
from sqlalchemy import select

from services.ingestor.datasets import DatasetFile, DatasetReader
from services.ingestor.extractors import References
from services.ingestor.writing import FileRows, write_rows
from shared.database.engine import Database
from shared.database.models.operations import Dataset, File
from shared.store import Store


@pytest.mark.integration
async def test_the_lamp_of_an_exposure_is_a_row(database: Database, tmp_path: Path) -> None:
    primary = fits.PrimaryHDU()
    primary.header.update(ROOTNAME="ldtest01q", LAMPUSED="P1", LAMPSET="LOW")
    events = fits.BinTableHDU.from_columns([fits.Column("TIME", "E", array=[0.0])], name="EVENTS")
    events.header.update(EXPSTART=58000.0, EXPTIME=12.0)
    fits.HDUList([primary, events]).writeto(tmp_path / "ldtest01q_rawtag_a.fits")
    async with database.transaction() as session:
        dataset = Dataset(rootname="ldtest01q", kind="exposure")
        session.add(dataset)
        await session.flush()
        names = {"path": "", "name": "ldtest01q_rawtag_a.fits", "rootname": "ldtest01q"}
        file = File(
            **names, dataset_id=dataset.id, origin="raw", suffix="rawtag_a", size=1, sha256="0" * 64
        )
        session.add(file)
        await session.flush()
        listed = DatasetFile(file.id, str(tmp_path), file.name, "ldtest01q", "rawtag_a")
        content = DatasetReader(Store("/"), [listed], References(None)).read(listed)
        await write_rows(await session.connection(), [FileRows(file.id, content.rows)])
        row = (await session.execute(select(LampUse))).scalar_one()
    assert (row.rootname, row.lamp, row.current) == ("ldtest01q", "P1", "LOW")
    assert (row.expstart, row.exptime) == (58000.0, 12.0)
