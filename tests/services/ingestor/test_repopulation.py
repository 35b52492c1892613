"""Re-population: the same tables, whatever happens to it on its way."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text, update

from services.ingestor.manual import add_file
from services.ingestor.repopulation import Progress, abandon, repopulate
from services.ingestor.repopulation.staging import begin_or_resume
from shared.database.models.operations import File
from shared.database.models.repopulation import Repopulation, RepopulationBatch, RepopulationFault
from shared.database.models.science import SCIENCE_TABLES, Header
from shared.errors import PermanentError
from simulator.references.lines import write_line_list
from tests.services.ingestor.conftest import Archive
from tests.services.ingestor.events import write_corrtag

pytestmark = pytest.mark.integration

_TABLES_WITHOUT_SAMPLE = {"darks", "dark_counts"}


async def _repopulate(archive: Archive, **options: object) -> Progress:
    chosen: dict[str, Any] = {"workers": 1, **options}
    return await repopulate(archive.database.url, archive.store.url, archive.references, **chosen)


async def _fill(archive: Archive, data_dir: Path) -> None:
    """Every real sample, as datasets."""
    groups: dict[str, list[Path]] = {}
    for folder in ("acquisitions", "lampflash", "jitter", "corrtag", "ldfd01010"):
        for path in sorted((data_dir / folder).rglob("*.fits.gz")):
            root = path.name[:9]
            groups.setdefault("ldfd01010" if root.startswith("ldfd01") else root, []).append(path)
    for root, paths in groups.items():
        await archive.add(root, paths)
    for name in ("100047aa", "181137b4", "181137b3"):
        await add_file(archive.database, archive.store, data_dir / "sms" / f"{name}.txt")


def _with_lines(archive: Archive, folder: Path) -> Archive:
    """Return the archive with a list of lines among its reference files."""
    folder.mkdir()
    for path in archive.references.iterdir():
        (folder / path.name).symlink_to(path)
    write_line_list(folder, ())
    return replace(archive, references=folder)


async def test_repopulated_tables_are_the_ingested_ones(
    archive: Archive, data_dir: Path, tmp_path: Path
) -> None:
    """From kept headers and from the files alike."""
    archive = _with_lines(archive, tmp_path / "references")
    await _fill(archive, data_dir)
    before, made_of = await archive.checksums(), await _catalogue(archive)
    assert {table for table, (rows, _) in before.items() if rows == 0} == _TABLES_WITHOUT_SAMPLE
    reports: list[Progress] = []
    done = await _repopulate(archive, workers=2, report=reports.append)
    assert (done.done, done.faults) == (done.datasets, 0)
    assert done.rows == sum(rows for rows, _ in before.values())
    assert reports[-1] == done
    assert await archive.checksums() == before
    await _repopulate(archive, reread=True)
    assert await archive.checksums() == before
    assert await _catalogue(archive) == made_of
    async with archive.database.session() as session:
        assert (
            await session.execute(text("SELECT to_regnamespace('repopulation')"))
        ).scalar_one() is None


async def _catalogue(archive: Archive) -> list[Any]:
    """Tell what the tables and their partitions are made of.

    Columns, keys, indexes, comments, sequences, rights.
    """
    tables = [f"public.{table}" for table in SCIENCE_TABLES] + [
        "partitions.gain_fuva",
        "partitions.gain_fuvb",
    ]
    async with archive.database.transaction() as session:
        await session.execute(text("GRANT SELECT ON headers, gain TO PUBLIC"))
        found = [
            (await session.execute(text(_MADE_OF), {"table": table})).one() for table in tables
        ]
    assert all(keys and indexes for _, keys, indexes, _, _, _ in found)
    return found


_MADE_OF = """
    SELECT
        (SELECT array_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull,
          attstorage,
                                    col_description(attrelid, attnum), pg_get_expr(adbin,
                                      adrelid)) ORDER BY attnum)
         FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
        (SELECT array_agg(conname || ' ' || convalidated || ' ' || pg_get_constraintdef(oid) ORDER
          BY conname)
         FROM pg_constraint WHERE conrelid = c.oid AND contype != 'n'),
        (SELECT array_agg(pg_get_indexdef(indexrelid) ORDER BY indexrelid::regclass::text)
         FROM pg_index WHERE indrelid = c.oid AND indisvalid),
        pg_get_serial_sequence(:table, 'id'), c.relacl::text, pg_get_expr(relpartbound, oid)
    FROM pg_class AS c WHERE c.oid = CAST(:table AS regclass)
"""


async def test_reader_is_waited_for_and_not_cancelled(archive: Archive, data_dir: Path) -> None:
    await archive.add("ldngz2szq", sorted((data_dir / "acquisitions").glob("ldngz2szq*")))
    before = await archive.checksums()
    async with archive.database.session() as reader:
        await reader.execute(text("SELECT count(*) FROM headers JOIN spt USING (rootname)"))
        swap = asyncio.create_task(_repopulate(archive))
        while not await _finished(archive):  # noqa: ASYNC110 - the event is in the database
            await asyncio.sleep(0.1)
        await asyncio.sleep(2.0)
        assert not swap.done()
        assert (
            await reader.execute(text("SELECT count(*) FROM headers JOIN spt USING (rootname)"))
        ).scalar_one() > 0
    done = await swap
    assert done.done == 1
    assert await archive.checksums() == before


async def test_view_in_the_way_is_named(archive: Archive, data_dir: Path) -> None:
    await archive.add("ldngz2szq", sorted((data_dir / "acquisitions").glob("ldngz2szq*")))
    before = await archive.checksums()
    async with archive.database.transaction() as session:
        await session.execute(text("CREATE VIEW mine AS SELECT rootname FROM headers"))
    with pytest.raises(PermanentError, match=r"(?s)cannot be replaced.*view mine"):
        await _repopulate(archive)
    async with archive.database.transaction() as session:
        await session.execute(text("DROP VIEW mine"))
    await _repopulate(archive)
    assert await archive.checksums() == before


async def test_darks_are_repopulated(archive: Archive, tmp_path: Path) -> None:
    """Rates and packed counts of a dark exposure; no real one is at hand."""
    generator = np.random.default_rng(3)
    events = {
        "TIME": np.sort(generator.uniform(0.0, 100.0, 2000)),
        "XCORR": generator.uniform(1100.0, 15200.0, 2000),
        "YCORR": generator.uniform(300.0, 730.0, 2000),
        "PHA": generator.integers(0, 32, 2000),
    }
    dark = write_corrtag(tmp_path / "ldx001aaq_corrtag_a.fits", events, 100.0, EXPTYPE="DARK")
    await archive.add("ldx001aaq", [dark])
    before = await archive.checksums()
    assert [before[table][0] for table in ("darks", "dark_counts")] == [5 * 4, 1]
    await _repopulate(archive, tables=["darks", "dark_counts"])
    assert await archive.checksums() == before


async def test_lost_rows_come_back(archive: Archive, data_dir: Path) -> None:
    await _fill(archive, data_dir)
    before = await archive.checksums()
    async with archive.database.transaction() as session:
        for table in before:
            await session.execute(text(f"DELETE FROM {table} WHERE id % 3 = 0"))
        await session.execute(update(Header).values(targname="nonsense", preferred=False))
    await _repopulate(archive)
    assert await archive.checksums() == before


async def test_readers_see_the_old_content_until_the_end(archive: Archive, data_dir: Path) -> None:
    await archive.add("ldngz2szq", sorted((data_dir / "acquisitions").glob("ldngz2szq*")))
    async with archive.database.transaction() as session:
        await session.execute(update(Header).values(targname="old"))
    seen: list[str | None] = []

    def look(progress: Progress) -> None:
        found = subprocess.run(
            [sys.executable, "-c", _LOOK, archive.database.url],
            capture_output=True,
            text=True,
            check=True,
        )
        seen.append(f"{progress.done} {found.stdout.strip()}")

    await _repopulate(archive, report=look)
    assert seen[0] == "0 old"
    assert set(seen) <= {"0 old", "1 old"}
    async with archive.database.session() as session:
        assert (await session.execute(select(Header.targname))).scalar_one() != "old"


_LOOK = """
import asyncio, sys
from sqlalchemy import text
from shared.database.engine import Database

async def look():
    database = Database(sys.argv[1])
    async with database.session() as session:
        print((await session.execute(text("SELECT targname FROM headers"))).scalar_one())
    await database.dispose()

asyncio.run(look())
"""

_RUN = """
import asyncio, sys
from pathlib import Path
from typing import Any
from services.ingestor.repopulation import repopulate

if __name__ == "__main__":
    asyncio.run(repopulate(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
"""


async def test_killed_and_started_again(archive: Archive, data_dir: Path, tmp_path: Path) -> None:
    """SIGKILL of the whole group of processes at several moments.

    Then it carries on, and all is as before.
    """
    await _fill(archive, data_dir)
    before = await archive.checksums()
    script = tmp_path / "run.py"
    script.write_text(_RUN)
    arguments = [
        sys.executable,
        str(script),
        archive.database.url,
        archive.store.url,
        str(archive.references),
    ]
    batches = []
    for wait in (0.0, 0.6, 1.5):
        process = await asyncio.create_subprocess_exec(*arguments, start_new_session=True)
        while not await _exists(archive):  # noqa: ASYNC110 - the event is in the database
            await asyncio.sleep(0.05)
        await asyncio.sleep(wait)
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        batches.append(await _finished(archive))
    assert batches == sorted(batches)
    await _repopulate(archive)
    assert await archive.checksums() == before


async def _exists(archive: Archive) -> bool:
    async with archive.database.session() as session:
        return (await session.execute(select(Repopulation.id))).first() is not None


async def _finished(archive: Archive) -> int:
    async with archive.database.session() as session:
        query = select(RepopulationBatch.id).where(RepopulationBatch.finished_at.is_not(None))
        return len((await session.execute(query)).all())


async def test_unreadable_file_is_named_and_the_rest_goes_on(
    archive: Archive, data_dir: Path, tmp_path: Path
) -> None:
    await _fill(archive, data_dir)
    before = await archive.checksums()
    async with archive.database.session() as session:
        query = select(File).where(File.name == "lbhx26fmq_lampflash.fits.gz")
        file = (await session.execute(query)).scalar_one()
    stored = tmp_path / "store" / file.path / file.name
    stored.write_bytes(stored.read_bytes()[:20000])
    done = await _repopulate(archive)
    assert done.faults == 1
    async with archive.database.session() as session:
        fault = (await session.execute(select(RepopulationFault))).scalar_one()
    assert (fault.file_id, "lbhx26fmq_lampflash" in fault.error) == (file.id, True)
    after = await archive.checksums()
    assert {table for table in before if before[table] != after[table]} == {
        "lampflash"
    }  # its headers are kept


async def test_what_is_ingested_meanwhile_stays(archive: Archive, data_dir: Path) -> None:
    await archive.add("ldngz2szq", sorted((data_dir / "acquisitions").glob("ldngz2szq*")))
    await begin_or_resume(archive.database, SCIENCE_TABLES, 50)
    await archive.add("lbhx1epiq", sorted((data_dir / "acquisitions").glob("lbhx1epiq*")))
    before = await archive.checksums()
    done = await _repopulate(archive)
    assert (done.datasets, done.files) == (1, 2)
    assert await archive.checksums() == before


async def test_other_tables_need_a_restart(archive: Archive, data_dir: Path) -> None:
    await _fill(archive, data_dir)
    await begin_or_resume(archive.database, ["headers"], 1)
    with pytest.raises(PermanentError, match=r"repopulation of headers .* is unfinished"):
        await _repopulate(archive)
    before = await archive.checksums()
    await abandon(archive.database)
    await _repopulate(archive, tables=["keywords", "spt"])
    assert await archive.checksums() == before
    with pytest.raises(PermanentError, match="no table nonsense"):
        await _repopulate(archive, tables=["nonsense"])
