"""Checks at the end of a run, beyond the invariants.

Each input is done with, and none of its rows is lost.
"""

from collections import Counter
from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, func, select, table, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.operations import Dataset, DatasetState, Event, File, Job, JobState
from shared.errors import PermanentError
from shared.events import EventName
from shared.invariants import Violation, check
from shared.store import Store

__all__ = ["find_violations"]

_DONE = "every input is ingested, or failed for a reason of its own"


async def find_violations(
    database: Database, store: Store, files: Mapping[str, str], damaged: Collection[str]
) -> list[Violation]:
    """Look for what is not as if nothing had happened.

    Parameters
    ----------
    database, store
        What the run left.
    files
        SHA-256 of each whole input, by name.
    damaged
        Rootnames whose files are damaged.

    Raises
    ------
    TransientError
        If the store cannot be read.
    """
    async with database.session() as session:
        found = await _unfinished(session, damaged)
        found += await _lost(session, files)
        found += await _miscounted(session)
    return [*found, *(await check(database, store, sample=None, orphan_seconds=0.0)).violations]


async def _unfinished(session: AsyncSession, damaged: Collection[str]) -> list[Violation]:
    """Look for jobs that wait or run, and datasets in another state than theirs."""
    busy = Job.state.in_((JobState.QUEUED, JobState.RUNNING))
    jobs = await session.execute(select(Job.id, Job.stage, Job.state, Job.error).where(busy))
    found = [
        Violation(_DONE, f"job {key} ({stage})", f"{state}: {error}")
        for key, stage, state, error in jobs
    ]
    datasets = await session.execute(select(Dataset.rootname, Dataset.state))
    states = {row.rootname: row.state for row in datasets}
    for rootname in {*states, *damaged}:
        wanted = DatasetState.FAILED if rootname in damaged else DatasetState.INGESTED
        if (state := states.get(rootname)) is not wanted:
            found.append(Violation(_DONE, rootname, f"{state}, not {wanted}"))
    failures: ColumnElement[bool] = (Job.state == JobState.FAILED) & (
        Job.error_kind != PermanentError.kind
    )
    jobs = await session.execute(
        select(Job.id, Job.stage, Job.error_kind, Job.error).where(failures)
    )
    return found + [
        Violation(_DONE, f"job {key} ({stage})", f"failed: {kind}: {error}")
        for key, stage, kind, error in jobs
    ]


async def _lost(session: AsyncSession, files: Mapping[str, str]) -> list[Violation]:
    """Look for inputs of which no current file is a copy."""
    rows = await session.execute(
        select(File.name, File.sha256).where(File.origin == "raw", File.current)
    )
    have = {(name, sha256) for name, sha256 in rows}
    return [
        Violation("every input is fetched as it is", name, "no current file is a copy of it")
        for name, sha256 in files.items()
        if (name, sha256) not in have
    ]


async def _miscounted(session: AsyncSession) -> list[Violation]:
    """Look for datasets that have more or fewer rows than the last ingest of their raw files or
    products wrote.
    """
    origin = Event.detail["origin"].astext
    events = await session.execute(
        select(Event.dataset_id, Dataset.rootname, origin, Event.detail["rows"])
        .join(Dataset, Dataset.id == Event.dataset_id)
        .where(Event.name == EventName.DATASET_INGESTED)
        .order_by(Event.id)
    )
    wanted = {
        (dataset, origin): (rootname, Counter(rows)) for dataset, rootname, origin, rows in events
    }
    have: dict[tuple[int, str], Counter[str]] = {key: Counter() for key in wanted}
    for name in {name for _, rows in wanted.values() for name in rows}:
        rows = table(name)
        counts = await session.execute(
            select(File.dataset_id, File.origin, func.count())
            .join_from(File, rows, text(f"{name}.file_id = files.id"))
            .where(File.current)
            .group_by(File.dataset_id, File.origin)
        )
        for dataset, origin_, count in counts:
            have.setdefault((dataset, origin_), Counter())[name] = count
    return [
        Violation(
            "an ingest's rows are there once",
            f"{rootname} ({key[1]})",
            f"{dict(have[key])}, not {dict(rows)}",
        )
        for key, (rootname, rows) in wanted.items()
        if have[key] != rows
    ]
