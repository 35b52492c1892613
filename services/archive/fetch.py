"""Fetching: a dataset's files come into the store, and the tables say so."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.archive.archives import RemoteArchives
from services.archive.catalogues.base import ARCHIVE
from services.archive.copying import CopiedFile, DatasetCopy
from services.archive.deliveries import find_alike
from services.archive.downloads import Downloader
from services.archive.headers import write_facts
from services.archive.metadata import FileMetadata
from services.archive.settling import Settled, read_fetched, settle, settled_fetch
from services.archive.sources import FileSource, SourceFile, open_source
from shared.archived import ArchivedProduct, keep_products
from shared.calcos_version import read_calcos_version
from shared.cos.names import is_product, parse_name
from shared.cos.reference_names import RemoteFolder
from shared.database.after_commit import notify_after_commit
from shared.database.engine import Database
from shared.database.models.operations import File, Job, JobState, Stage
from shared.database.models.operations import SourceFile as SourceFileRow
from shared.errors import AbsentSourceError, PermanentError
from shared.events import EventName
from shared.files import find_or_add_file
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.jobs.inputs import archived_ingest_inputs, calibration_inputs, raw_ingest_inputs
from shared.jobs.runner import Completion
from shared.store import Store, StoredFile

__all__ = ["ARRIVED", "FetchService"]

ARRIVED: Final = "cosmo_files_arrived"
"""Channel that is notified when headers were read of files that have come, which say what else
belongs to their datasets.
"""


class FetchService:
    """Fetches datasets.

    Parameters
    ----------
    database
        Database.
    store
        Where the files go.
    downloader
        Gets files over HTTP.
    randseed
        RANDSEED of calibrations where the raw header leaves it to the clock.
    archives
        Remote archives, where they are sources.
    references
        Folder of the reference files, if this service sees it.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        downloader: Downloader,
        randseed: int,
        archives: RemoteArchives | None = None,
        references: Path | RemoteFolder | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._downloader = downloader
        self._randseed = randseed
        self._archives = archives
        self._references = (references,) if references else ()

    async def fetch(self, job: ClaimedJob) -> Completion:
        """Copy what is not in the store yet.

        Where headers are yet to be read, they are. Where they ask for more, the next scan writes
        another fetch.

        Raises
        ------
        PermanentError
            If a file that CalCOS reads is not a whole FITS file.
        TransientError
            If the source or the store fails.
        """
        listed = job.payload["files"]
        have = await self._in_store(job.dataset_id, job.payload["source"])
        async with self._opened(job.payload["source"]) as source:
            copy = DatasetCopy(source, self._store, self._downloader, job.subject_name)
            try:
                copied = await asyncio.to_thread(copy.copy, listed, have)
            finally:
                copy.stop()
            read, settled = await self._read_headers(job, source, copied.files)
        fetched, damaged = copied.files, copied.damaged
        raw = [file for file in fetched if file.product is None]
        products = [file.product for file in fetched if file.product is not None]
        if damaged and not fetched:
            raise PermanentError("; ".join(damaged.values()))
        received = NewEvent(EventName.PRODUCTS_FETCHED, _products_detail(products, damaged))
        alike = await find_alike(self._database, self._store, job.dataset_id, raw)
        downloaded = NewEvent(
            EventName.DATASET_DOWNLOADED,
            {"files": _checksums(raw), "source": job.payload["source"]},
        )

        async def apply(session: AsyncSession) -> None:
            if raw:
                await _write(session, job, raw, alike)
            if read:
                await write_facts(session, job.payload["source"], read)
                notify_after_commit(session, ARRIVED)
            if settled is not None:
                await settle(session, job, settled)
                await record_event(session, job.dataset_id, downloaded, Outbox(), job.id)
            seen = bool(products) and await _write_products(session, job, fetched, products)
            if raw and seen:
                await record_event(session, job.dataset_id, received, Outbox(), job.id)
                await _let_dispatcher_send(session, job.dataset_id)

        if read and settled is None:
            return Completion(downloaded, apply)
        if settled is not None:
            job = replace(job, payload=settled.job.payload)
        has_inputs = not all(is_product(parse_name(entry["name"])) for entry in listed)
        event = (
            NewEvent(
                EventName.DATASET_FETCHED,
                self._detail(job, raw, alike, await self._calcos_version()) | {"damaged": damaged},
            )
            if has_inputs
            else received
        )
        return Completion(event, apply)

    @asynccontextmanager
    async def _opened(self, url: str) -> AsyncIterator[FileSource]:
        if url != ARCHIVE:
            yield open_source(url)
        elif self._archives is None:
            raise AbsentSourceError(
                "its files are in remote archives, none of which is a source now", ARCHIVE
            )
        else:
            async with self._archives.opened() as source:
                yield source

    async def _read_headers(
        self, job: ClaimedJob, source: FileSource, fetched: Sequence[CopiedFile]
    ) -> tuple[dict[SourceFile, FileMetadata], Settled | None]:
        """Read the headers that are yet to be read; return them with what the fetch is by them."""
        if not job.payload.get("unread"):
            return {}, None
        read = await asyncio.to_thread(read_fetched, self._store, job, fetched)
        return read, await settled_fetch(self._database, source, self._references, job, read)

    async def _in_store(
        self, dataset_id: int, source: str
    ) -> dict[tuple[str, str | None], StoredFile]:
        """Return the files of the dataset that are in the store, by stem and identity in the
        source.

        A file that several datasets share is stored for each of them; the source's row points to
        any one of these.
        """
        mine = aliased(File)
        async with self._database.session() as session:
            rows = await session.execute(
                select(SourceFileRow.stem, SourceFileRow.fetched_identity, mine)
                .join(File, File.id == SourceFileRow.file_id)
                .join(mine, (mine.name == File.name) & (mine.sha256 == File.sha256))
                .where(
                    SourceFileRow.source == source,
                    mine.dataset_id == dataset_id,
                    mine.origin == "raw",
                )
            )
            return {
                (stem, identity): StoredFile(file.path, file.name, file.size, file.sha256)
                for stem, identity, file in rows
            }

    async def _calcos_version(self) -> str | None:
        async with self._database.session() as session:
            return await read_calcos_version(session)

    def _detail(
        self,
        job: ClaimedJob,
        fetched: Sequence[CopiedFile],
        alike: Mapping[str, str],
        calcos: str | None,
    ) -> dict[str, Any]:
        checksums = _checksums(fetched)
        accepted = job.payload["accepted_missing"]
        return {
            "files": checksums,
            "calibrates_as": dict(alike),
            "source": job.payload["source"],
            "accepted_missing": accepted,
            "references": job.payload["references"],
            "depends_on": {
                Stage.CALIBRATE: calibration_inputs(
                    {**checksums, **alike},
                    accepted,
                    job.payload["references"],
                    calcos=calcos,
                    randseed=self._randseed,
                ),
                Stage.INGEST_RAW: raw_ingest_inputs(checksums),
            },
        }


def _checksums(fetched: Sequence[CopiedFile]) -> dict[str, str]:
    return {file.stored.name: file.stored.sha256 for file in fetched}


def _products_detail(
    products: Sequence[ArchivedProduct], damaged: dict[str, str]
) -> dict[str, Any]:
    checksums = {product.stored.name: product.stored.sha256 for product in products}
    return {
        "products": checksums,
        "damaged": damaged,
        "depends_on": {Stage.INGEST_PRODUCTS: archived_ingest_inputs(checksums)},
    }


async def _write_products(
    session: AsyncSession,
    job: ClaimedJob,
    fetched: Sequence[CopiedFile],
    products: Sequence[ArchivedProduct],
) -> bool:
    """Make the products that the source has the archive's generation.

    Returns whether readers are to see it.
    """
    _, seen = await keep_products(session, job.dataset_id, products, job=(job.id, job.attempt))
    for file in fetched:
        if file.product is not None:
            stored = (File.path == file.stored.path, File.name == file.stored.name)
            await _note(session, job, file, select(File.id).where(*stored).scalar_subquery())
    return seen


async def _let_dispatcher_send(session: AsyncSession, dataset_id: int) -> None:
    """Let the dispatcher send the message of the ingest, which nobody else does."""
    waiting = (
        Job.dataset_id == dataset_id,
        Job.stage == Stage.INGEST_PRODUCTS,
        Job.state == JobState.QUEUED,
    )
    await session.execute(update(Job).where(*waiting).values(sent_at=None, not_before=func.now()))


async def _note(session: AsyncSession, job: ClaimedJob, file: CopiedFile, file_id: Any) -> None:
    """Write which version of a source's file is in the store."""
    await session.execute(
        update(SourceFileRow)
        .where(SourceFileRow.source == job.payload["source"], SourceFileRow.url == file.url)
        .values(fetched_identity=file.identity, file_id=file_id)
    )


async def _write(
    session: AsyncSession,
    job: ClaimedJob,
    fetched: Sequence[CopiedFile],
    alike: Mapping[str, str],
) -> None:
    """Make the fetched versions, and no others, the current ones."""
    await session.execute(
        update(File)
        .where(File.dataset_id == job.dataset_id, File.origin == "raw")
        .values(current=False)
    )
    for file in fetched:
        row = await find_or_add_file(
            session,
            file.stored,
            job.dataset_id,
            "raw",
            calibrates_as=alike.get(file.stored.name),
        )
        row.current = True
        await session.flush()
        await _note(session, job, file, row.id)
