"""The archive that the rates of the ingest are measured on."""

from pathlib import Path

import pytest

from benchmarks.ingest.archive import SAMPLES, Archive
from services.ingestor.repopulation import repopulate
from shared.database.engine import Database

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("zipped", [False, True])
async def test_its_tables_are_filled_from_its_store(
    zipped: bool, database: Database, data_dir: Path, tmp_path: Path
) -> None:
    archive = Archive(tmp_path / "store", zipped=zipped)
    archive.make(data_dir, 3)
    await archive.register(database, 3)
    rows: list[int] = []
    done = await repopulate(
        database.url,
        archive.url,
        None,
        tables=["headers"],
        reread=True,
        report=lambda progress: rows.append(progress.done),
    )
    assert (done.done, done.faults) == (3, 0)
    assert len(list((tmp_path / "store" / "real").iterdir())) == len(SAMPLES)
    assert rows[-1] == 3
