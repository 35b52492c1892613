"""Ingest: the rows of a dataset's files, written idempotently per file."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingestor.datasets import DatasetFile, DatasetReader, FileContent, check_readable
from services.ingestor.extractors import References, Rows
from services.ingestor.schedule_versions import lock_schedules, prefer_newest_schedules
from services.ingestor.visibility import lock_rootnames, show_newest
from services.ingestor.writing import FileRows, write_rows
from shared.cos.names import REPORT_ID
from shared.cos.reference_names import RemoteFolder
from shared.database.engine import Database
from shared.database.models.operations import File
from shared.events import EventName
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent
from shared.jobs.runner import Completion
from shared.store import Store

__all__ = ["IngestService"]

_THREADS = 2
"""Files of a dataset read at once.

Most of the time goes to inflating them, outside the interpreter lock.
"""


class IngestService:
    """Ingests datasets.

    Parameters
    ----------
    database
        Database.
    store
        Where the files are.
    references
        Folder with the reference files, for the lamp templates' FP-POS displacements; None where
        there is none.
    """

    def __init__(
        self, database: Database, store: Store, references: Path | RemoteFolder | None
    ) -> None:
        self._database = database
        self._store = store
        self._references = References(references)

    async def ingest_raw(self, job: ClaimedJob) -> Completion:
        """Return the rows of the raw files: headers, support, jitter, acquisitions.

        And of reports and the like.
        """
        return await self._ingest(job, "raw")

    async def ingest_products(self, job: ClaimedJob) -> Completion:
        """Return the rows of what the calibration made.

        Spectra, lamp flashes, darks, stims, pulse heights, gain.
        """
        return await self._ingest(job, "product")

    async def _ingest(self, job: ClaimedJob, origin: str) -> Completion:
        async with self._database.session() as session:
            query = (
                select(File)
                .where(File.dataset_id == job.dataset_id, File.current)
                .order_by(File.name)
            )
            current = (await session.execute(query)).scalars().all()
        mine = {file.id for file in current if file.origin == origin}
        files = [
            DatasetFile(file.id, file.path, file.name, file.rootname, file.suffix)
            for file in current
        ]
        reader = DatasetReader(self._store, files, self._references)
        contents = await asyncio.to_thread(
            _read, reader, [file for file in files if file.id in mine]
        )
        check_readable(contents.values())
        rows = {file_id: content.rows for file_id, content in contents.items()}
        problems = {file_id: content.problems for file_id, content in contents.items()}
        schedules = any(file.suffix == "sms" for file in files)

        async def apply(session: AsyncSession) -> None:
            connection = await session.connection()
            if schedules:
                await lock_schedules(connection)
            rootnames = await _rootnames(session, job.dataset_id)
            await lock_rootnames(session, rootnames)
            await write_rows(
                connection, [FileRows(file_id, found) for file_id, found in rows.items()]
            )
            await _retire(session, job.dataset_id, origin, mine)
            await show_newest(session, rootnames, mine)
            await _note(session, problems)
            if schedules:
                await prefer_newest_schedules(connection, _sms_ids(files))

        noted = [problem for found in problems.values() for problem in found]
        detail = {"origin": origin, "rows": _count(rows.values()), "problems": noted}
        return Completion(NewEvent(EventName.DATASET_INGESTED, detail), apply)


def _read(reader: DatasetReader, files: Sequence[DatasetFile]) -> dict[int, FileContent]:
    """Return the content of files, by key."""
    with ThreadPoolExecutor(_THREADS) as threads:
        return dict(zip((file.id for file in files), threads.map(reader.read, files), strict=True))


async def _note(session: AsyncSession, problems: Mapping[int, list[str]]) -> None:
    """Write what was wrong with files, in place of what an earlier ingest found."""
    for file_id, found in problems.items():
        await session.execute(
            update(File).where(File.id == file_id, File.problems != found).values(problems=found)
        )


def _sms_ids(files: Iterable[DatasetFile]) -> set[str]:
    """Return the ids of the SMS reports among files, of those too that plan no exposure."""
    return {
        file.rootname[:REPORT_ID]
        for file in files
        if file.suffix == "sms" and file.rootname is not None
    }


def _count(files: Iterable[Sequence[Rows]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for file in files:
        for rows in file:
            counts[rows.model.__tablename__] += len(rows)
    return dict(counts)


async def _rootnames(session: AsyncSession, dataset_id: int) -> set[str]:
    """Return the rootnames of all that a dataset has or had."""
    query = select(File.rootname).where(File.dataset_id == dataset_id, File.rootname.is_not(None))
    return {str(rootname) for rootname in (await session.execute(query.distinct())).scalars()}


async def _retire(
    session: AsyncSession, dataset_id: int, origin: str, file_ids: Collection[int]
) -> None:
    """Let these files take the place of the earlier generation's."""
    earlier = (
        File.dataset_id == dataset_id,
        File.origin == origin,
        File.id.not_in(file_ids),
        File.shown,
    )
    await session.execute(update(File).where(*earlier).values(shown=False))
    await session.execute(update(File).where(File.id.in_(file_ids)).values(ingested_at=func.now()))
