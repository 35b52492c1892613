"""The commands about the science tables, as an operator types them."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from cosmo.cli.app import app
from shared.database.engine import Database
from shared.database.models.operations import File
from shared.database.models.science import Header, ScheduledExposure
from shared.errors import PermanentError
from shared.settings import get_settings
from tests.services.ingestor.conftest import Archive, archive

pytestmark = pytest.mark.integration

__all__ = ["archive"]


Cosmo = Callable[..., Awaitable[str]]


@pytest.fixture
def cosmo(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cosmo]:
    """``cosmo ingest`` with the archive's database and store: what it prints."""
    monkeypatch.setenv("COSMO_DATABASE_URL", archive.database.url)
    monkeypatch.setenv("COSMO_STORE_URL", archive.store.url)
    monkeypatch.setenv("COSMO_REFERENCES__FOLDER", str(archive.references))
    get_settings.cache_clear()

    async def run(*arguments: str) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, app, ["ingest", *arguments])
        if result.exception is not None:
            raise result.exception
        return result.stdout

    yield run
    get_settings.cache_clear()


async def _newest(database: Database) -> dict[str, str]:
    async with database.session() as session:
        query = select(ScheduledExposure.exposure, ScheduledExposure.report).where(
            ScheduledExposure.preferred
        )
        return {
            exposure or "": report or ""
            for exposure, report in (await session.execute(query)).all()
        }


@pytest.mark.parametrize("order", [("181137b3", "181137b4"), ("181137b4", "181137b3")])
async def test_newest_schedule_wins_in_any_order(
    archive: Archive, cosmo: Cosmo, data_dir: Path, order: tuple[str, str]
) -> None:
    for name in order:
        assert "65 rows of sms" in await cosmo("add", str(data_dir / "sms" / f"{name}.txt"))
    found = await _newest(archive.database)
    assert len(found) == 65
    assert set(found.values()) == {"181137b4"}
    before = await archive.checksums()
    await cosmo("add", str(data_dir / "sms" / "181137b3.txt"))
    assert await archive.checksums() == before
    assert "1 versions of 181137b4.txt forgotten" in await cosmo("forget", "181137b4.txt")
    assert set((await _newest(archive.database)).values()) == {"181137b3"}


async def test_bad_files_do_not_keep_others_out(
    archive: Archive, cosmo: Cosmo, data_dir: Path, tmp_path: Path
) -> None:
    """Files that are refused leave nothing.

    Of what is odd in others the rest is there, and said.
    """
    odd, titleless, other = (
        tmp_path / name for name in ("111078a6.txt", "181137b5.txt", "pyproject.toml")
    )
    shutil.copy(data_dir / "sms" / "bad_111078a6.txt", odd)
    shutil.copy(data_dir / "sms" / "181137b4.txt", titleless)
    other.write_text("[project]\n")
    good = data_dir / "sms" / "162567b1.txt"
    files = (titleless, other, tmp_path / "LDCAMPAT.txt", tmp_path, odd, good)
    with pytest.raises(PermanentError, match="4 of 6 files refused; the others are in the tables"):
        await cosmo("add", *map(str, files))
    async with archive.database.session() as session:
        found = (await session.execute(select(File.name, File.problems).order_by(File.name))).all()
    (problem,) = found[0].problems
    assert [file.name for file in found] == ["111078a6.txt", "162567b1.txt"]
    assert "1 of 2 lines are no exposure of an SMS report" in problem
    assert f"problem: {problem}" in await cosmo("describe", "111078a6")
    assert "rows of sms" in await cosmo("add", str(good))


async def test_describe_repopulate_forget(archive: Archive, cosmo: Cosmo, data_dir: Path) -> None:
    await archive.add("ldngz2szq", sorted((data_dir / "acquisitions").glob("ldngz2szq*")))
    shown = await cosmo("describe", "ldngz2szq")
    assert "raw/ldngz2szq/ldngz2szq_rawacq.fits.gz  raw, current" in shown
    assert "acqs           1 rows" in shown
    (support,) = json.loads(await cosmo("describe", "ldngz2szq_spt.fits.gz", "--json"))
    assert support["tables"]["spt"][0]["lqtaxpos"] == -193
    assert "1 datasets, 2 files" in await cosmo("repopulate", "--workers", "1")
    await cosmo("forget", "ldngz2szq_rawacq.fits.gz")
    with pytest.raises(PermanentError, match=r"ldngz2szq_rawacq\.fits\.gz is unknown"):
        await cosmo("describe", "ldngz2szq_rawacq.fits.gz")
    async with archive.database.session() as session:
        assert (await session.execute(select(Header))).all() == []
    assert archive.store.fetch("raw/ldngz2szq/ldngz2szq_rawacq.fits.gz", data_dir).exists()


async def test_without_postgres_it_says_what_to_start(
    cosmo: Cosmo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (("add", "orbital_info.json"), ("repopulate",)):
        monkeypatch.setenv("COSMO_DATABASE_URL", "postgresql+asyncpg://cosmo@127.0.0.1:1/cosmo")
        get_settings.cache_clear()
        with pytest.raises(
            PermanentError, match="no Postgres answers at COSMO_DATABASE_URL: run `cosmo up"
        ):
            await cosmo(*command)
        monkeypatch.delenv("COSMO_DATABASE_URL")
        get_settings.cache_clear()
        with pytest.raises(
            PermanentError,
            match="no Postgres answers at nowhere: run `cosmo up --data-dir nowhere`",
        ):
            await cosmo(*command, "--data-dir", "nowhere")
