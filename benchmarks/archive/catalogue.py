"""Discovery at the size of the whole archive of COS: the stand-in lists, a process compares."""

import asyncio
import multiprocessing
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import text

from cosmo.launcher.embedded import EmbeddedPostgres
from services.archive.catalogues import open_catalogue
from services.archive.discovery import Discovery
from shared.catalogues.plans import make_plan
from shared.catalogues.selection import Selection
from shared.database.engine import Database
from shared.database.schema import migrate
from shared.settings import ArchiveSettings
from shared.store import Store
from simulator.archive.server import ArchiveServer

__all__ = ["Look", "measure"]

_LAST = "SELECT entries, new, changed, missing FROM catalogue_listings ORDER BY id DESC LIMIT 1"
_REMEMBER = """
    DROP TABLE IF EXISTS before;
    CREATE TABLE before AS SELECT dataset, xmin::text AS written FROM catalogue_entries
"""
_WRITTEN = """
    SELECT count(*) FROM catalogue_entries AS e LEFT JOIN before AS b ON b.dataset = e.dataset
    WHERE b.written IS DISTINCT FROM e.xmin::text
"""


@dataclass(frozen=True)
class Look:
    """A full listing: seconds and CPU seconds, peak memory of its process (byte), what it found,
    rows that were written, and seconds of the plans of everything and of a proposal.
    """

    seconds: float
    cpu: float
    memory: int
    entries: int
    new: int
    changed: int
    missing: int
    written: int
    plans: tuple[float, float]

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s (CPU {self.cpu:.1f} s, {self.memory / 1e6:.0f} MB): "
            f"{self.entries} entries, {self.new} new, {self.changed} delivered again, "
            f"{self.missing} missing, {self.written} rows written; plan of everything "
            f"{self.plans[0]:.2f} s, of a proposal {self.plans[1]:.2f} s"
        )


def measure(rows: int, folder: Path, name: str = "mast") -> Iterator[Look]:
    """List into an empty database, again with one in a hundred delivered again, and once more.

    Parameters
    ----------
    rows
        Entries of the catalogue.
    folder
        Folder for the servers.
    name
        Archive that lists them.
    """
    data = folder / "data"
    data.mkdir()
    postgres = EmbeddedPostgres(folder / "postgres")
    postgres.start()
    try:
        asyncio.run(_migrate(postgres.url))
        with _stand_in(data, rows) as url:
            yield _look(url, postgres.url, name)
            (data / "archive.toml").write_text(f"redelivered = {rows // 100}\n")
            yield _look(url, postgres.url, name)
            yield _look(url, postgres.url, name)
    finally:
        postgres.stop()


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.dispose()


@contextmanager
def _stand_in(folder: Path, rows: int) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(folder, rows, there), daemon=True)
    server.start()
    there.close()
    try:
        yield here.recv()
    finally:
        server.terminate()
        server.join()


def _serve(folder: Path, rows: int, answer: Connection) -> None:
    server = ArchiveServer(folder, rows=rows)
    answer.send(server.url)
    server.run()


def _look(archive: str, database: str, name: str) -> Look:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_discover, args=(archive, database, name, there))
    process.start()
    there.close()
    look: Look = here.recv()
    process.join()
    return look


def _discover(archive: str, url: str, name: str, answer: Connection) -> None:
    answer.send(asyncio.run(_discovered(archive, url, name)))


async def _discovered(archive: str, url: str, name: str) -> Look:
    """Do what an archive process does in its turn; a full listing is always due."""
    settings = ArchiveSettings(
        sources=[name], mast_url=archive, cadc_url=archive, listing_seconds=1e-6
    )
    database = Database(url)
    catalogue = open_catalogue(name, settings)
    discovery = Discovery(database, [catalogue], settings, Store("file:///tmp"))
    async with database.transaction() as session:
        for statement in _REMEMBER.split(";"):
            await session.execute(text(statement))
    wall, cpu = time.perf_counter(), time.process_time()
    await discovery.look()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    async with database.session() as session:
        entries, new, changed, missing = (await session.execute(text(_LAST))).one()
        written = (await session.execute(text(_WRITTEN))).scalar_one()
        plans = []
        for selection in (Selection(everything=True), Selection(proposals=[14933])):
            begun = time.perf_counter()
            await make_plan(session, [selection], None)
            plans.append(time.perf_counter() - begun)
    await database.dispose()
    return Look(wall, cpu, memory, entries, new, changed, missing, written, (plans[0], plans[1]))
