"""Ingest: the rows of a dataset's files, written idempotently per file."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import case, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingestor.extractors import EXTRACTED_SUFFIXES, HEADER_PREFERENCE, Rows, extract
from shared.database.engine import Database
from shared.database.models.operations import File
from shared.database.models.science import Header
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent
from shared.jobs.runner import Completion
from shared.store import Store

__all__ = ["IngestService"]


@dataclass(frozen=True)
class _Extracted:
    """What was read from one file."""

    file_id: int
    rows: list[Rows]


class IngestService:
    """Ingests datasets.

    Parameters
    ----------
    database
        Database.
    store
        Where the files are.
    references
        Folder with the reference files, for the lamp templates' FP-POS displacements; None where there is none.
    """

    def __init__(self, database: Database, store: Store, references: Path | None) -> None:
        self._database = database
        self._store = store
        self._references = references

    async def ingest_raw(self, job: ClaimedJob) -> Completion:
        """Rows of the raw files: headers, support, acquisitions."""
        return await self._ingest(job, "raw")

    async def ingest_products(self, job: ClaimedJob) -> Completion:
        """Rows of what the calibration made: spectra, lamp flashes."""
        return await self._ingest(job, "product")

    async def _ingest(self, job: ClaimedJob, origin: str) -> Completion:
        async with self._database.session() as session:
            files = (
                (
                    await session.execute(
                        select(File)
                        .where(File.dataset_id == job.dataset_id, File.origin == origin, File.current)
                        .order_by(File.name)
                    )
                )
                .scalars()
                .all()
            )
        extracted = await asyncio.to_thread(self._extract, files)

        async def apply(session: AsyncSession) -> None:
            for file in extracted:
                await _write(session, file)
            await _show(session, job.dataset_id, origin, [file.id for file in files])

        counts: dict[str, int] = {}
        for file in extracted:
            for rows in file.rows:
                table = rows.model.__tablename__
                counts[table] = counts.get(table, 0) + len(rows.rows)
        return Completion(NewEvent("dataset.ingested", {"origin": origin, "rows": counts}), apply)

    def _extract(self, files: Sequence[File]) -> list[_Extracted]:
        with tempfile.TemporaryDirectory(prefix="cosmo-ingest-") as folder:
            return [
                _Extracted(
                    file.id,
                    extract(
                        self._store.fetch(f"{file.path}/{file.name}", Path(folder) / str(file.id)),
                        file.name,
                        self._references,
                    ),
                )
                for file in files
                if file.suffix in EXTRACTED_SUFFIXES
            ]


async def _write(session: AsyncSession, extracted: _Extracted) -> None:
    for rows in extracted.rows:
        await session.execute(delete(rows.model).where(rows.model.file_id == extracted.file_id))
        if rows.rows:
            await session.execute(insert(rows.model), [{**row, "file_id": extracted.file_id} for row in rows.rows])


async def _show(session: AsyncSession, dataset_id: int, origin: str, file_ids: Sequence[int]) -> None:
    """Let readers see these files' rows in place of the earlier generation's."""
    await session.execute(
        update(File).where(File.dataset_id == dataset_id, File.origin == origin).values(shown=File.id.in_(file_ids))
    )
    rank = case({suffix: order for order, suffix in enumerate(HEADER_PREFERENCE)}, value=File.suffix, else_=99)
    candidates = select(Header.id, Header.rootname, rank.label("rank")).join(File, File.id == Header.file_id)
    candidates = candidates.where(File.dataset_id == dataset_id, File.shown)
    ordered = candidates.order_by(Header.rootname, rank, Header.id).distinct(Header.rootname).subquery()
    of_dataset = select(File.id).where(File.dataset_id == dataset_id)
    await session.execute(
        update(Header)
        .where(Header.file_id.in_(of_dataset))
        .values(preferred=Header.id.in_(select(ordered.c.id)))
        .execution_options(synchronize_session=False)
    )
