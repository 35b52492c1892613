"""The commands about the science tables, as an operator types them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.operations import File
from shared.database.models.science import Header, ScheduledExposure
from tests.services.ingestor.conftest import Archive, archive

pytestmark = pytest.mark.integration

__all__ = ["archive"]


def _cosmo(archive: Archive, *arguments: str, status: int = 0) -> str:
    environment = {
        **os.environ,
        "COSMO_DATABASE_URL": archive.database.url,
        "COSMO_STORE_URL": archive.store.url,
        "COSMO_CALIBRATOR__REFERENCES": str(archive.references),
    }
    done = subprocess.run(
        [sys.executable, "-m", "cosmo", "ingest", *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


async def _newest(database: Database) -> dict[str, str]:
    async with database.session() as session:
        query = select(ScheduledExposure.exposure, ScheduledExposure.report).where(ScheduledExposure.preferred)
        return {exposure or "": report or "" for exposure, report in (await session.execute(query)).all()}


@pytest.mark.parametrize("order", [("181137b3", "181137b4"), ("181137b4", "181137b3")])
async def test_newest_schedule_wins_in_any_order(archive: Archive, data_dir: Path, order: tuple[str, str]) -> None:
    for name in order:
        assert "65 rows of sms" in _cosmo(archive, "add", str(data_dir / "sms" / f"{name}.txt"))
    found = await _newest(archive.database)
    assert len(found) == 65
    assert set(found.values()) == {"181137b4"}
    before = await archive.checksums()
    _cosmo(archive, "add", str(data_dir / "sms" / "181137b3.txt"))
    assert await archive.checksums() == before
    assert "1 versions of 181137b4.txt forgotten" in _cosmo(archive, "forget", "181137b4.txt")
    assert set((await _newest(archive.database)).values()) == {"181137b3"}


async def test_malformed_schedule_leaves_nothing(archive: Archive, data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "111078a6.txt"
    shutil.copy(data_dir / "sms" / "bad_111078a6.txt", path)
    assert "is no exposure of an SMS report" in _cosmo(archive, "add", str(path), status=1).replace("\n", " ")
    async with archive.database.session() as session:
        assert (await session.execute(select(File))).all() == []


async def test_describe_repopulate_forget(archive: Archive, data_dir: Path) -> None:
    await archive.add("ldngz2szq", sorted((data_dir / "acquisitions").glob("ldngz2szq*")))
    shown = _cosmo(archive, "describe", "ldngz2szq")
    assert "raw/ldngz2szq/ldngz2szq_rawacq.fits.gz  raw, current" in shown
    assert "acqs           1 rows" in shown
    (support,) = json.loads(_cosmo(archive, "describe", "ldngz2szq_spt.fits.gz", "--json"))
    assert support["tables"]["spt"][0]["lqtaxpos"] == -193
    assert "1 datasets, 2 files" in _cosmo(archive, "repopulate", "--workers", "1")
    _cosmo(archive, "forget", "ldngz2szq_rawacq.fits.gz")
    assert "nothing is known" in _cosmo(archive, "describe", "ldngz2szq_rawacq.fits.gz", status=1).replace("\n", " ")
    async with archive.database.session() as session:
        assert (await session.execute(select(Header))).all() == []
    assert archive.store.fetch("raw/ldngz2szq/ldngz2szq_rawacq.fits.gz", data_dir).exists()
