"""Scans: what a source holds, what is new or changed, which datasets are complete."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.archive.grouping import DatasetListing, Facts, group, read_facts
from services.archive.sources import Source, SourceFile
from shared.database.engine import Database
from shared.database.models.operations import Dataset, Scan, Stage
from shared.database.models.operations import SourceFile as SourceFileRow
from shared.jobs.events import NewEvent, Outbox, add_job, record_event
from shared.jobs.routing import NewJob

__all__ = ["scan"]

_SCAN_LOCK = 0x434F534D51
"""Advisory lock: two scans do not write at once."""


async def scan(database: Database, source: Source, outbox: Outbox) -> Scan:
    """Look at a source once: write what it holds, and a fetch job for each dataset that is new, changed and complete.

    Parameters
    ----------
    database
        Database.
    source
        Source to look at.
    outbox
        Receives the messages of the jobs, to be sent after this returns.

    Raises
    ------
    TransientError
        If the source cannot be listed.
    """
    started = datetime.now(UTC)
    files = await asyncio.to_thread(source.list)
    async with database.session() as session:
        rows = await session.execute(select(SourceFileRow).where(SourceFileRow.source == source.url))
        known = {row.stem: row for row in rows.scalars()}
    changed = {file.stem for file in files if file.stem not in known or known[file.stem].identity != file.identity}
    facts = await asyncio.to_thread(_all_facts, source, files, known, changed)
    listings = group(files, facts)
    async with database.transaction() as session:
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCAN_LOCK})
        await _write_files(session, source, listings, facts, changed)
        for listing in listings:
            await _write_dataset(session, source, listing, changed, outbox)
        result = Scan(
            source=source.url, started_at=started, files=len(files), changed=len(changed), datasets=len(listings)
        )
        session.add(result)
    return result


def _all_facts(
    source: Source, files: list[SourceFile], known: dict[str, SourceFileRow], changed: set[str]
) -> dict[str, Facts]:
    return {
        file.stem: known_facts if (known_facts := _known(file, known, changed)) else read_facts(source, file)
        for file in files
    }


def _known(file: SourceFile, known: dict[str, SourceFileRow], changed: set[str]) -> Facts | None:
    """Facts of an unchanged file; none where reading them failed, which may have been a passing fault."""
    facts = Facts.from_dict(known[file.stem].facts) if file.stem in known and file.stem not in changed else None
    return None if facts is None or facts.error else facts


async def _write_files(
    session: AsyncSession,
    source: Source,
    listings: list[DatasetListing],
    facts: dict[str, Facts],
    changed: set[str],
) -> None:
    rows = [
        {
            "source": source.url,
            "stem": file.stem,
            "url": file.url,
            "name": file.name,
            "identity": file.identity,
            "size": file.size,
            "facts": facts[file.stem].to_dict(),
            "dataset": listing.rootname,
        }
        for listing in listings
        for file in listing.files
        if file.stem in changed
    ]
    if not rows:
        return
    statement = insert(SourceFileRow)
    updated = ("url", "name", "identity", "size", "facts", "dataset")
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["source", "stem"], set_={name: statement.excluded[name] for name in updated}
        ),
        rows,
    )


async def _write_dataset(
    session: AsyncSession, source: Source, listing: DatasetListing, changed: set[str], outbox: Outbox
) -> None:
    found = (await session.execute(select(Dataset).where(Dataset.rootname == listing.rootname))).scalar_one_or_none()
    events: list[NewEvent] = []
    if found is None:
        dataset = Dataset(rootname=listing.rootname, kind=listing.kind, missing=[])
        session.add(dataset)
        events.append(NewEvent("dataset.discovered", {"files": [file.name for file in listing.files]}))
    else:
        dataset = found
        touched = any(file.stem in changed for file in listing.files)
        if not touched and dataset.missing == list(listing.missing) and not (dataset.forced and dataset.missing):
            return
    if listing.missing and dataset.missing != list(listing.missing):
        events.append(NewEvent("dataset.incomplete", {"missing": list(listing.missing)}))
    dataset.kind = listing.kind
    dataset.members = list(listing.members)
    dataset.companions = list(listing.companions)
    dataset.missing = list(listing.missing)
    dataset.updated_at = func.now()
    await session.flush()
    if not listing.missing or dataset.forced:
        await add_job(session, dataset.id, _fetch_job(source, listing), outbox)
    for event in events:
        await record_event(session, dataset.id, event, outbox)


def _fetch_job(source: Source, listing: DatasetListing) -> NewJob:
    files: list[dict[str, Any]] = [
        {"stem": file.stem, "name": file.name, "url": file.url, "identity": file.identity, "size": file.size}
        for file in listing.files
    ]
    return NewJob(
        Stage.FETCH,
        "fetch",
        payload={"source": source.url, "files": files, "accepted_missing": list(listing.missing)},
        depends_on={
            "files": {file.stem: file.identity for file in listing.files},
            "accepted_missing": list(listing.missing),
        },
    )
