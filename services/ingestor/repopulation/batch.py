"""One batch: the datasets that one worker does at once, with its rows or not at all."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingestor.datasets import DatasetFile, DatasetReader
from services.ingestor.extractors import References, has_rows
from services.ingestor.repopulation.tables import STAGING
from services.ingestor.writing import FileRows, copy_rows
from shared.database.engine import Database
from shared.database.models.operations import File
from shared.database.models.repopulation import RepopulationBatch, RepopulationFault
from shared.database.models.science import Keywords
from shared.fits import Header
from shared.store import Store

__all__ = ["Work", "do_batch"]

_MOST_ROWS = 50_000
"""Rows that wait in memory before they are written."""


@dataclass(frozen=True)
class Work:
    """What a worker needs to know.

    Attributes
    ----------
    database_url
        URL of Postgres.
    store
        Where the files are.
    references
        Reference files.
    repopulation
        Key of the re-population.
    tables
        Tables to fill.
    reread
        Whether headers are read from the files even where the database keeps them.
    """

    database_url: str
    store: Store
    references: References
    repopulation: int
    tables: frozenset[str]
    reread: bool


async def do_batch(database: Database, work: Work) -> bool:
    """Do a batch that nobody does; False where there is none left.

    Raises
    ------
    TransientError
        If the store fails; the batch is left to be done again.
    """
    async with database.connection() as connection, connection.begin():
        batch = await _claim(connection, work.repopulation)
        if batch is None:
            return False
        files, rows, waiting = 0, 0, list[FileRows]()
        owners = await _files(connection, batch.first_dataset, batch.last_dataset)
        kept = set() if work.reread else await _kept(connection, [file.id for _, file in owners])
        if "keywords" in work.tables and kept:
            rows += await _carry_over(connection, kept)
        others = work.tables - {"keywords"}
        asked = [file.id for _, file in owners if file.id in kept and has_rows(file.suffix, others)]
        headers = await _kept_headers(connection, asked)
        for _, group in groupby(owners, key=lambda owner: owner[0]):
            waiting += await _read(connection, work, [file for _, file in group], kept, headers)
            if sum(len(one) for file in waiting for one in file.rows) > _MOST_ROWS:
                files, rows = (
                    files + len(waiting),
                    rows + await copy_rows(connection, waiting, STAGING),
                )
                waiting = []
        files, rows = files + len(waiting), rows + await copy_rows(connection, waiting, STAGING)
        await connection.execute(
            update(RepopulationBatch)
            .where(RepopulationBatch.id == batch.id)
            .values(finished_at=func.clock_timestamp(), files=files, rows=rows)
        )
    return True


async def _claim(connection: AsyncConnection, repopulation: int) -> Row[int, int, int] | None:
    """Open batch that no other worker holds.

    The lock is released when its transaction ends, however it does.
    """
    batches = RepopulationBatch
    query = (
        select(batches.id, batches.first_dataset, batches.last_dataset)
        .order_by(batches.id)
        .limit(1)
    )
    query = query.where(batches.repopulation_id == repopulation, batches.finished_at.is_(None))
    return (await connection.execute(query.with_for_update(skip_locked=True))).one_or_none()


async def _files(
    connection: AsyncConnection, first: int, last: int
) -> list[tuple[int, DatasetFile]]:
    """Return the ingested files by dataset, current ones first."""
    query = (
        select(File.dataset_id, File.id, File.path, File.name, File.rootname, File.suffix)
        .where(File.dataset_id.between(first, last), File.ingested_at.is_not(None))
        .order_by(File.dataset_id, File.current.desc(), File.name, File.id)
    )
    return [(row.dataset_id, DatasetFile(*row[1:])) for row in await connection.execute(query)]


async def _kept(connection: AsyncConnection, file_ids: Sequence[int]) -> set[int]:
    return set(
        (
            await connection.execute(select(Keywords.file_id).where(Keywords.file_id.in_(file_ids)))
        ).scalars()
    )


async def _carry_over(connection: AsyncConnection, kept: Collection[int]) -> int:
    """Take kept headers over as they are: what was read of a file once would be read of it
    again.
    """
    copy = (
        f"INSERT INTO {STAGING}.keywords SELECT * FROM public.keywords WHERE file_id = ANY(:kept)"  # noqa: S608
    )
    return (await connection.execute(text(copy), {"kept": sorted(kept)})).rowcount


async def _kept_headers(
    connection: AsyncConnection, file_ids: Sequence[int]
) -> dict[int, list[Header]]:
    query = select(Keywords.file_id, Keywords.hdus).where(Keywords.file_id.in_(file_ids))
    return dict((await connection.execute(query)).tuples().all())


async def _read(
    connection: AsyncConnection,
    work: Work,
    files: list[DatasetFile],
    kept: Collection[int],
    headers: dict[int, list[Header]],
) -> Iterable[FileRows]:
    """Return the rows of a dataset's files; what cannot be read of them is noted."""
    reader = DatasetReader(work.store, files, work.references, headers)
    found: list[FileRows] = []
    for file in files:
        tables = work.tables - {"keywords"} if file.id in kept else work.tables
        if not has_rows(file.suffix, tables):
            continue
        content = reader.read(file, tables)
        found.append(FileRows(file.id, content.rows))
        for problem in content.problems:
            fault = {"repopulation_id": work.repopulation, "file_id": file.id, "error": problem}
            await connection.execute(insert(RepopulationFault).values(fault))
    return found
