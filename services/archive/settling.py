"""Settling: what a fetch is, once the headers of the files are known that it brought.

Of a remote archive's files no header is known before they come. Where theirs ask for nothing that
the fetch did not bring, it becomes the fetch that a scan would now write, and nothing is fetched
again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.archive.copying import CopiedFile
from services.archive.datasets import FIRST_FINGERPRINT, fetch_of
from services.archive.metadata import FileMetadata, read_facts, visit_of
from services.archive.sources import FileSource, SourceFile
from services.archive.visits import Visit, group_files, load_files
from shared.cos.names import parse_name
from shared.cos.reference_names import RemoteFolder
from shared.database.engine import Database
from shared.database.models.operations import Dataset, Job, Stage
from shared.jobs.claims import ClaimedJob
from shared.jobs.routing import NewJob, fingerprint
from shared.reference_digests import reference_digests
from shared.store import Store

__all__ = ["Settled", "read_fetched", "settle", "settled_fetch"]

_SAME = ("kind", "members", "left_aside")
"""What headers may say of a dataset that only a scan writes."""


@dataclass(frozen=True)
class Settled:
    """A fetch as a scan would write it now.

    Attributes
    ----------
    job
        The fetch.
    companions
        Acquisitions that headers of the dataset name.
    """

    job: NewJob
    companions: list[str]


def read_fetched(
    store: Store, job: ClaimedJob, fetched: Sequence[CopiedFile]
) -> dict[SourceFile, FileMetadata]:
    """Read the headers of the files that a fetch brought into the store."""
    stored = {file.url: f"{file.stored.path}/{file.stored.name}" for file in fetched}
    files = [SourceFile.from_entry(entry) for entry in job.payload["files"]]
    return {file: read_facts(partial(store.open, stored[file.url]), file.name) for file in files}


async def settled_fetch(
    database: Database,
    source: FileSource,
    references: Sequence[Path | RemoteFolder],
    job: ClaimedJob,
    read: Mapping[SourceFile, FileMetadata],
) -> Settled | None:
    """Return the fetch that a scan would write for a dataset now.

    None where that one needs other files, or where the dataset is another one by its headers.

    Parameters
    ----------
    database
        Database.
    source
        Source of the files.
    references
        Folders that reference files may lie in.
    job
        Fetch that brought the files.
    read
        What their headers say.
    """
    visits = {visit_of(parse_name(file.name).rootname) for file in read}
    visits |= {visit for facts in read.values() for visit in facts.visits}
    batch = await load_files(database, source.url, [Visit(name, 0, 0) for name in sorted(visits)])
    grouped = await asyncio.to_thread(group_files, source, batch, read)
    listing = next(
        (one for one in grouped.grouping.datasets if one.rootname == job.subject_name), None
    )
    if listing is None or listing.missing or job.payload["accepted_missing"]:
        return None
    names = {name for file in listing.files for name in grouped.facts[file.stem].references}
    digests = await asyncio.to_thread(reference_digests, references, names)
    settled = fetch_of(source.url, grouped.input_of(listing, digests))
    if settled.payload["unread"] or settled.payload["files"] != job.payload["files"]:
        return None
    columns = [getattr(Dataset, name) for name in _SAME]
    query = select(*columns).where(Dataset.id == job.dataset_id)
    other = select(Job.id).where(
        Job.dataset_id == job.dataset_id,
        Job.stage == Stage.FETCH,
        Job.fingerprint == fingerprint(settled.depends_on),
    )
    async with database.session() as session:
        row = (await session.execute(query)).one()
        if (await session.execute(other)).first() is not None:
            return None  # the earlier one is taken up again
    same: Any = [getattr(listing, name) for name in _SAME]
    return Settled(settled, listing.companions) if list(row) == same else None


async def settle(session: AsyncSession, job: ClaimedJob, settled: Settled) -> None:
    """Let a fetch be the one that a scan would write now."""
    found = settled.job
    payload = {**found.payload, FIRST_FINGERPRINT: job.fingerprint}
    await session.execute(
        update(Dataset).where(Dataset.id == job.dataset_id).values(companions=settled.companions)
    )
    await session.execute(
        update(Job)
        .where(Job.id == job.id)
        .values(payload=payload, fingerprint=fingerprint(found.depends_on))
    )
