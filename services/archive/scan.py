"""Scans: what a source holds, what is new or changed, which datasets are complete."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ARRAY, String, any_, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.archive.aside import (
    OLDER,
    ORPHAN,
    OTHER_INSTRUMENT,
    PRODUCT,
    SWITCHED_OFF,
    LeftAside,
    reason_of,
)
from services.archive.grouping import DatasetListing, group
from services.archive.metadata import FileMetadata, is_input, read_digest, read_facts
from services.archive.sources import Source, SourceFile
from services.archive.versions import Versions, choose_versions
from shared.cos.names import is_product, parse_name
from shared.cos.reference_names import RemoteFolder, reference_folders
from shared.database.engine import Database
from shared.database.locks import AdvisoryLock
from shared.database.models.operations import Dataset, Job, JobState, Scan, Stage
from shared.database.models.operations import SourceFile as SourceFileRow
from shared.errors import TransientError
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, add_job, record_event
from shared.jobs.inputs import fetch_inputs
from shared.jobs.routing import ACQUISITION, CALIBRATED, PRODUCTS, NewJob, fingerprint
from shared.jobs.states import lock_datasets
from shared.reference_digests import reference_digests
from shared.settings import ArchiveSettings

__all__ = ["ScanResult", "scan"]

_Digests = dict[str, str | None]


@dataclass(frozen=True)
class ScanResult:
    """What a scan saw.

    Attributes
    ----------
    files
        Number of input files.
    changed
        Number of those that are new or changed.
    datasets
        Number of datasets that they make.
    unreadable
        URL of each folder or file that could not be read, and why; what earlier scans saw
        there still counts.
    left_aside
        URLs of files that are in no dataset, by the reason.
    """

    files: int
    changed: int
    datasets: int
    unreadable: dict[str, str]
    left_aside: dict[str, list[str]]


@dataclass(frozen=True)
class _Seen:
    """Input files, every version of each, with their facts by URL, and the URLs of those whose row
    is to be written.
    """

    files: list[SourceFile] = field(default_factory=list)
    facts: dict[str, FileMetadata] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    left_aside: LeftAside = field(default_factory=LeftAside)


@dataclass(frozen=True)
class _Change:
    """What a scan means for a dataset.

    The fetch job that it needs, if any, and what happened to it.
    """

    dataset_id: int
    job: NewJob | None
    events: Sequence[NewEvent]


async def scan(
    database: Database,
    source: Source,
    outbox: Outbox,
    references: Path | RemoteFolder | None = None,
    bulk_above: int = ArchiveSettings().bulk_above,
) -> ScanResult:
    """Scan a source once.

    Write what it holds, and a fetch job for each dataset that is new, changed and complete.

    A dataset has changed when its files have, or the reference files that they name.

    Parameters
    ----------
    database
        Database.
    source
        Source to scan.
    outbox
        Receives the messages of the jobs, to be sent after this returns.
    references
        Folder of the reference files; without it nobody sees that one changed.
    bulk_above
        With more datasets to fetch than these, they are bulk work.

    Raises
    ------
    TransientError
        If the source cannot be listed at all.
    """
    started = datetime.now(UTC)
    async with database.session() as session:
        rows = await session.execute(
            select(SourceFileRow).where(SourceFileRow.source == source.url)
        )
        known = {row.url: row for row in rows.scalars()}
    seen = await asyncio.to_thread(_look, source, known)
    versions = await asyncio.to_thread(_choose, source, seen)
    facts = {file.stem: seen.facts[file.url] for file in versions.files}
    grouping = group(versions.files, facts, versions.older, versions.conflicts)
    listings = grouping.datasets
    for reason, files in ((SWITCHED_OFF, grouping.switched_off), (ORPHAN, grouping.orphans)):
        seen.left_aside.add(reason, (file.url for file in files))
    folders = reference_folders(references, source.url) if references else ()
    digests = await asyncio.to_thread(_digests, folders, listings, facts)
    async with database.transaction() as session:
        await session.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": AdvisoryLock.SCAN}
        )
        await _write_files(session, source, listings, seen)
        changes = await _write_datasets(session, source, listings, digests)
        await _record(session, changes, bulk_above, outbox)
        counts = {"files": len(seen.files), "changed": len(seen.changed), "datasets": len(listings)}
        session.add(
            Scan(
                source=source.url,
                started_at=started,
                left_aside=seen.left_aside.summary(),
                **counts,
            )
        )
    return ScanResult(**counts, unreadable=seen.unreadable, left_aside=dict(seen.left_aside.urls))


def _look(source: Source, known: Mapping[str, SourceFileRow]) -> _Seen:
    """List the source and read what is not known of it yet."""
    listing = source.list()
    seen = _Seen(unreadable=dict(listing.unreadable))
    for url in listing.others:
        seen.left_aside.add(reason_of(url), [url])
    for file in listing.files:
        if not is_input(file.name):
            seen.left_aside.add(PRODUCT, [file.url])
            continue
        row = known.get(file.url)
        changed = row is None or row.identity != file.identity
        facts = FileMetadata.from_dict(row.facts) if row is not None and not changed else None
        if facts is None or not facts.final:
            try:
                facts = read_facts(source, file)
            except TransientError as error:
                seen.unreadable[file.url] = str(error)
                continue
            seen.stale.add(file.url)
        if facts.error and is_product(parse_name(file.name)):
            seen.left_aside.add(PRODUCT, [file.url])
            continue
        if changed:
            seen.changed.add(file.url)
        seen.files.append(file)
        seen.facts[file.url] = facts
    _keep_unreadable(seen, known)
    return seen


def _choose(source: Source, seen: _Seen) -> Versions:
    """Choose between the versions of each file that is of COS."""

    def digest(file: SourceFile) -> str:
        facts = seen.facts[file.url]
        if not facts.digest:
            try:
                facts = seen.facts[file.url] = replace(facts, digest=read_digest(source, file))
            except TransientError as error:
                seen.unreadable[file.url] = str(error)
                return file.url
            seen.stale.add(file.url)
        return facts.digest

    foreign = {file.url for file in seen.files if seen.facts[file.url].is_foreign}
    for url in sorted(foreign):
        seen.left_aside.add(f"{OTHER_INSTRUMENT} ({seen.facts[url].instrument})", [url])
    versions = choose_versions(
        [file for file in seen.files if file.url not in foreign], seen.facts, digest
    )
    for older in versions.older.values():
        seen.left_aside.add(OLDER, older)
    return versions


def _digests(
    folders: Sequence[Path | RemoteFolder],
    listings: Sequence[DatasetListing],
    facts: Mapping[str, FileMetadata],
) -> list[_Digests]:
    """List the reference files of each dataset with their checksums.

    None of what is not calibrated.
    """
    named = [
        {name for file in one.files for name in facts[file.stem].references}
        if one.kind in CALIBRATED
        else set()
        for one in listings
    ]
    known = reference_digests(folders, set().union(*named))
    return [{name: known[name] for name in sorted(names) if name in known} for names in named]


def _keep_unreadable(seen: _Seen, known: Mapping[str, SourceFileRow]) -> None:
    """Take what cannot be read at the moment to be as it was."""
    for row in known.values():
        hidden = any(
            row.url == url or row.url.startswith(f"{url.rstrip('/')}/") for url in seen.unreadable
        )
        if hidden and row.url not in seen.facts:
            seen.files.append(
                SourceFile(row.url, row.name, row.stem, row.size, row.identity, row.modified)
            )
            seen.facts[row.url] = FileMetadata.from_dict(row.facts)


async def _write_files(
    session: AsyncSession, source: Source, listings: Sequence[DatasetListing], seen: _Seen
) -> None:
    dataset: dict[str, str] = {}
    for listing in listings:
        for file in listing.files:
            dataset.setdefault(file.stem, listing.rootname)
    rows = [
        {
            "source": source.url,
            "stem": file.stem,
            "url": file.url,
            "name": file.name,
            "identity": file.identity,
            "size": file.size,
            "modified": file.modified,
            "facts": seen.facts[file.url].to_dict(),
            "dataset": dataset.get(file.stem),
        }
        for file in seen.files
        if file.url in seen.stale
    ]
    if not rows:
        return
    statement = insert(SourceFileRow)
    updated = ("stem", "name", "identity", "size", "modified", "facts", "dataset")
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["source", "url"],
            set_={name: statement.excluded[name] for name in updated},
        ),
        rows,
    )


async def _write_datasets(
    session: AsyncSession,
    source: Source,
    listings: Sequence[DatasetListing],
    digests: Sequence[_Digests],
) -> list[_Change]:
    """Write the datasets of a listing; returns what changed of each."""
    names = literal([listing.rootname for listing in listings], ARRAY(String))
    rows = await session.execute(select(Dataset).where(Dataset.rootname == any_(names)))
    datasets = {dataset.rootname: dataset for dataset in rows.scalars()}
    jobs = await session.execute(
        select(Job.dataset_id, Job.fingerprint).where(
            Job.stage == Stage.FETCH, Job.state != JobState.SUPERSEDED
        )
    )
    known = {(dataset_id, found) for dataset_id, found in jobs}
    changes = []
    for listing, references in zip(listings, digests, strict=True):
        found = datasets.get(listing.rootname)
        if (
            listing.kind == PRODUCTS
            and found is not None
            and found.kind in CALIBRATED | {ACQUISITION}
        ):
            # The source has its raw data no longer, or never had them; the store does.
            gone = [*listing.missing, f"{listing.rootname}_raw*"]
            listing = replace(listing, kind=found.kind, members=found.members, missing=gone)  # noqa: PLW2901
        dataset, events = _update(session, datasets.get(listing.rootname), listing)
        await session.flush()
        job = None
        if not listing.missing or dataset.forced:
            job = _fetch_job(source, listing, references)
        elif products := [file for file in listing.files if is_product(parse_name(file.name))]:
            # What the archive made need not wait for raw data.
            job = _fetch_job(source, replace(listing, files=products, missing=[]), {})
        if job is not None and (dataset.id, fingerprint(job.depends_on)) in known:
            job = None
        changes.append(_Change(dataset.id, job, events))
    return changes


async def _record(
    session: AsyncSession, changes: Sequence[_Change], bulk_above: int, outbox: Outbox
) -> None:
    """Write the jobs and the events of changes.

    Many jobs at once are bulk work, of low priority.
    """
    await lock_datasets(
        session,
        [change.dataset_id for change in changes if change.job is not None or change.events],
    )
    bulk = sum(change.job is not None for change in changes) > bulk_above
    for change in changes:
        if change.job is not None:
            await add_job(
                session,
                change.dataset_id,
                replace(change.job, bulk=bulk),
                outbox,
            )
        for event in change.events:
            await record_event(session, change.dataset_id, event, outbox)


def _update(
    session: AsyncSession, found: Dataset | None, listing: DatasetListing
) -> tuple[Dataset, list[NewEvent]]:
    """Let a dataset's row say what the source has of it."""
    events: list[NewEvent] = []
    dataset = found or Dataset(rootname=listing.rootname, missing=[], forced=False)
    if found is None:
        session.add(dataset)
        events.append(
            NewEvent(EventName.DATASET_DISCOVERED, {"files": [file.name for file in listing.files]})
        )
    if listing.missing and dataset.missing != listing.missing:
        events.append(NewEvent(EventName.DATASET_INCOMPLETE, {"missing": listing.missing}))
    if listing.left_aside != (dataset.left_aside or {}):
        events.append(NewEvent(EventName.DATASET_LEFT_ASIDE, {"left_aside": listing.left_aside}))
    # An operator lets the names go that were missing then, not whatever may be missing later.
    dataset.forced = (
        dataset.forced and bool(listing.missing) and set(listing.missing) <= set(dataset.missing)
    )
    dataset.kind = listing.kind
    dataset.members = listing.members
    dataset.companions = listing.companions
    dataset.missing = listing.missing
    dataset.left_aside = listing.left_aside
    return dataset, events


def _fetch_job(source: Source, listing: DatasetListing, references: _Digests) -> NewJob:
    files: list[dict[str, Any]] = [
        {
            "stem": file.stem,
            "name": file.name,
            "url": file.url,
            "identity": file.identity,
            "size": file.size,
        }
        for file in listing.files
    ]
    return NewJob(
        Stage.FETCH,
        payload={
            "source": source.url,
            "files": files,
            "accepted_missing": listing.missing,
            "references": references,
        },
        depends_on=fetch_inputs(
            {file.stem: file.identity for file in listing.files}, listing.missing, references
        ),
    )
