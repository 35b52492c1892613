"""Worker processes for the batches, and their progress."""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path

from sqlalchemy import func, select

from services.ingestor.extractors import References
from services.ingestor.repopulation.batch import Work, do_batch
from services.ingestor.repopulation.staging import begin_or_resume, show_staged
from shared.cos.reference_names import RemoteFolder
from shared.database.engine import Database
from shared.database.models.repopulation import Repopulation, RepopulationBatch, RepopulationFault
from shared.database.models.science import SCIENCE_TABLES
from shared.errors import PermanentError, TransientError
from shared.store import Store

__all__ = ["Progress", "repopulate"]

_BATCH_SIZE = 50
_POLL_SECONDS = 0.2
_MOST_DEATHS = 3


@dataclass(frozen=True)
class Progress:
    """How far a re-population is.

    Datasets in all and done, files and rows so far, problems of files.

    Attributes
    ----------
    rate
        Datasets per second since this run began.
    """

    datasets: int
    done: int
    files: int
    rows: int
    faults: int
    rate: float


async def repopulate(
    database_url: str,
    store_url: str,
    references: Path | RemoteFolder | None,
    *,
    tables: Collection[str] = SCIENCE_TABLES,
    workers: int = 2,
    reread: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Fill science tables from the store again.

    Readers see the old content until the new one is complete.

    What was done before a kill is not done again.

    Parameters
    ----------
    database_url, store_url
        URLs of Postgres and of the store.
    references
        Folder with the reference files; None where there is none.
    tables
        Tables to fill.
    workers
        Processes.
    reread
        Whether headers are read from the files even where the database keeps them.
    report
        Receives the progress several times a second.

    Raises
    ------
    PermanentError
        If a table does not exist, or a repopulation of other tables is unfinished.
    TransientError
        If workers die; starting it again continues.
    """
    if unknown := sorted(set(tables) - set(SCIENCE_TABLES)):
        raise PermanentError(
            f"no table {', '.join(unknown)}; there are {', '.join(SCIENCE_TABLES)}"
        )
    database = Database(database_url)
    try:
        key = await begin_or_resume(database, tables, _BATCH_SIZE)
        work = Work(
            database_url, Store(store_url), References(references), key, frozenset(tables), reread
        )
        progress = await _follow(database, work, workers, report)
        await show_staged(database, key)
    finally:
        await database.dispose()
    return progress


async def _follow(
    database: Database, work: Work, workers: int, report: Callable[[Progress], None]
) -> Progress:
    """Keep workers at work until every batch is done."""
    context = multiprocessing.get_context("spawn")
    running: list[SpawnProcess] = []
    deaths = 0
    began, first = time.monotonic(), await _progress(database, work.repopulation, 0, 0.0)
    try:
        while True:
            progress = await _progress(
                database, work.repopulation, first.done, time.monotonic() - began
            )
            report(progress)
            if progress.done == progress.datasets:
                return progress
            deaths += sum(process.exitcode not in (None, 0) for process in running)
            if deaths > _MOST_DEATHS:
                raise TransientError(
                    f"{deaths} workers died; see their messages above, then start the command "
                    f"again: it continues"
                )
            running = [process for process in running if process.exitcode is None]
            while len(running) < workers:
                process = context.Process(target=_work, args=(work,), daemon=True)
                process.start()
                running.append(process)
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        for process in running:
            process.terminate()
            process.join()


async def _progress(database: Database, key: int, before: int, seconds: float) -> Progress:
    batches = RepopulationBatch
    done = func.coalesce(func.sum(batches.datasets).filter(batches.finished_at.is_not(None)), 0)
    faults = select(func.count()).where(RepopulationFault.repopulation_id == key).scalar_subquery()
    total = select(Repopulation.datasets).where(Repopulation.id == key).scalar_subquery()
    sums = (func.coalesce(func.sum(column), 0) for column in (batches.files, batches.rows))
    query = select(total, done, *sums, faults).where(batches.repopulation_id == key)
    async with database.session() as session:
        datasets, finished, files, rows, wrong = (
            int(value) for value in (await session.execute(query)).one()
        )
    return Progress(
        datasets, finished, files, rows, wrong, (finished - before) / seconds if seconds else 0.0
    )


def _work(work: Work) -> None:
    """Work as one of the processes: fill batch after batch until none is left."""

    async def run() -> None:
        database = Database(work.database_url, pool_size=1)
        try:
            while await do_batch(database, work):
                pass
        finally:
            await database.dispose()

    asyncio.run(run())
