"""Rows of datasets as a source has them, and the events and fetch jobs of what changed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ARRAY, BigInteger, RowMapping, String, any_, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.archive.grouping import DatasetListing
from services.archive.metadata import FACTS_VERSION
from shared.cos.names import is_product, parse_name
from shared.database.models.operations import Dataset, Job, JobState, SourceFile, Stage
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, add_jobs, record_events
from shared.jobs.inputs import fetch_inputs
from shared.jobs.routing import ACQUISITION, CALIBRATED, PRODUCTS, NewJob, fingerprint

__all__ = ["FIRST_FINGERPRINT", "DatasetInput", "fetch_of", "write_datasets"]

FIRST_FINGERPRINT = "first_fingerprint"
"""Key in the payload of a fetch that was settled: its fingerprint before."""

_COLUMNS = ("kind", "members", "companions", "missing", "left_aside", "forced", "source")


@dataclass(frozen=True)
class DatasetInput:
    """A dataset as the source has it.

    Attributes
    ----------
    listing
        Its files, and what is missing.
    references
        SHA-256 of the reference files that its headers name.
    unread
        Whether headers are yet to be read, when the files have come.
    """

    listing: DatasetListing
    references: Mapping[str, str | None]
    unread: bool = False


async def write_datasets(
    session: AsyncSession,
    source: str,
    inputs: Sequence[DatasetInput],
    outbox: Outbox,
    is_bulk: Callable[[int], bool],
    others: Collection[str] = (),
) -> int:
    """Let the rows of datasets say what the source has of them, and write what that causes.

    One that is new, or changed, and complete gets a fetch job. One that another source has stays as
    it is.

    Parameters
    ----------
    session
        Session of a transaction.
    source
        URL of the source.
    inputs
        The datasets.
    outbox
        Receives the messages of the jobs.
    is_bulk
        Says whether so many jobs are work of low priority.
    others
        URLs of the other sources that are scanned.

    Returns
    -------
    int
        Number of jobs.
    """
    names = literal([one.listing.rootname for one in inputs], ARRAY(String))
    query = (
        select(Dataset.id, Dataset.rootname, *(getattr(Dataset, name) for name in _COLUMNS))
        .where(Dataset.rootname == any_(names))
        .order_by(Dataset.id)
        # Taken first, as by everyone who changes jobs (`lock_datasets`).
        .with_for_update(key_share=True)
    )
    rows = (await session.execute(query)).mappings().all()
    known = {str(row["rootname"]): row for row in rows}
    elsewhere = await _held_elsewhere(session, source, rows, others)
    inputs = [
        one
        for one in inputs
        if one.listing.rootname not in elsewhere
        or _is_better(one.listing, known[one.listing.rootname])
    ]
    written, events = [], []
    for one in inputs:
        found = known.get(one.listing.rootname)
        listing = _as_known(one.listing, found)
        forced = _is_forced(listing, found)
        written.append((one, listing, forced))
        events.append(_events(listing, found))
    ids = await _write_rows(session, source, [(one, forced) for _, one, forced in written], known)
    wanted = []
    for one, listing, forced in written:
        dataset_id = ids[listing.rootname]
        if (job := _job(source, replace(one, listing=listing), forced=forced)) is not None:
            wanted.append((dataset_id, job))
    jobs = await _new(session, wanted)
    if jobs:
        bulk = is_bulk(len(jobs))
        await add_jobs(session, [(key, replace(job, bulk=bulk)) for key, job in jobs], outbox)
    await record_events(
        session,
        [
            (ids[one.listing.rootname], event)
            for one, found in zip(inputs, events, strict=True)
            for event in found
        ],
    )
    return len(jobs)


async def _held_elsewhere(
    session: AsyncSession, source: str, rows: Sequence[RowMapping], others: Collection[str]
) -> set[str]:
    """Return the datasets of which another source has files, from which they came."""
    theirs = [row for row in rows if row["source"] != source and row["source"] in others]
    if not theirs:
        return set()
    names = literal([row["rootname"] for row in theirs], ARRAY(String))
    query = (
        select(SourceFile.source, SourceFile.dataset)
        .where(SourceFile.dataset == any_(names), SourceFile.present)
        .distinct()
    )
    held = {(of, dataset) for of, dataset in await session.execute(query)}
    return {row["rootname"] for row in theirs if (row["source"], row["rootname"]) in held}


def _is_better(listing: DatasetListing, found: RowMapping) -> bool:
    """Return whether a source has of a dataset what the one that it came from has not."""
    if (found["kind"] == PRODUCTS) != (listing.kind == PRODUCTS):
        return listing.kind != PRODUCTS
    return bool(found["missing"]) and not listing.missing


def _as_known(listing: DatasetListing, found: RowMapping | None) -> DatasetListing:
    """Return a dataset of which the source has its raw data no longer, or never had them, as the
    one that it is.
    """
    kinds = CALIBRATED | {ACQUISITION}
    if listing.kind != PRODUCTS or found is None or found["kind"] not in kinds:
        return listing
    gone = [*listing.missing, f"{listing.rootname}_raw*"]
    return replace(listing, kind=found["kind"], members=found["members"], missing=gone)


def _is_forced(listing: DatasetListing, found: RowMapping | None) -> bool:
    """Return whether an operator let the names go that are missing, not whatever was later."""
    return (
        found is not None
        and found["forced"]
        and bool(listing.missing)
        and set(listing.missing) <= set(found["missing"])
    )


def _events(listing: DatasetListing, found: RowMapping | None) -> list[NewEvent]:
    """Return what happened to a dataset."""
    events = []
    if found is None:
        names = [file.name for file in listing.files]
        events.append(NewEvent(EventName.DATASET_DISCOVERED, {"files": names}))
    if listing.missing and listing.missing != (found["missing"] if found else []):
        events.append(NewEvent(EventName.DATASET_INCOMPLETE, {"missing": listing.missing}))
    if listing.left_aside != (found["left_aside"] if found else {}):
        events.append(NewEvent(EventName.DATASET_LEFT_ASIDE, {"left_aside": listing.left_aside}))
    return events


async def _write_rows(
    session: AsyncSession,
    source: str,
    datasets: Sequence[tuple[DatasetListing, bool]],
    known: Mapping[str, RowMapping],
) -> dict[str, int]:
    """Write the rows that are new or changed; return the keys of all by rootname."""
    ids = {rootname: int(row["id"]) for rootname, row in known.items()}
    new, changed = [], []
    for listing, forced in datasets:
        values = {
            "kind": listing.kind,
            "members": listing.members,
            "companions": listing.companions,
            "missing": listing.missing,
            "left_aside": listing.left_aside,
            "forced": forced,
            "source": source,
        }
        found = known.get(listing.rootname)
        if found is None:
            new.append({"rootname": listing.rootname, **values})
        elif any(found[name] != value for name, value in values.items()):
            changed.append({"id": found["id"], **values})
    if new:
        added = await session.execute(insert(Dataset).returning(Dataset.rootname, Dataset.id), new)
        ids.update((rootname, dataset_id) for rootname, dataset_id in added)
    if changed:
        await session.execute(update(Dataset), changed)
    return ids


async def _new(
    session: AsyncSession, wanted: Sequence[tuple[int, NewJob]]
) -> list[tuple[int, NewJob]]:
    """Return the fetch jobs that are not there already.

    A fetch that was settled counts as the one too that it was before: a scan may not know yet of
    the headers that it read.
    """
    rows = await session.execute(
        select(Job.dataset_id, Job.fingerprint, Job.payload[FIRST_FINGERPRINT].astext).where(
            Job.dataset_id == any_(literal([key for key, _ in wanted], ARRAY(BigInteger))),
            Job.stage == Stage.FETCH,
            Job.state != JobState.SUPERSEDED,
        )
    )
    known = {(dataset_id, found) for dataset_id, *prints in rows for found in prints}
    return [(key, job) for key, job in wanted if (key, fingerprint(job.depends_on)) not in known]


def _job(source: str, one: DatasetInput, *, forced: bool) -> NewJob | None:
    """Return the fetch of a dataset; None where there is nothing to be fetched yet."""
    listing = one.listing
    if not listing.missing or forced:
        return fetch_of(source, one)
    # What the archive made need not wait for raw data.
    if products := [file for file in listing.files if is_product(parse_name(file.name))]:
        return fetch_of(
            source, DatasetInput(replace(listing, files=products, missing=[]), references={})
        )
    return None


def fetch_of(source: str, one: DatasetInput) -> NewJob:
    """Return the job that fetches a dataset from a source."""
    listing, references = one.listing, {} if one.unread else one.references
    files: list[dict[str, Any]] = [
        {
            "stem": file.stem,
            "name": file.name,
            "url": file.url,
            "identity": file.identity,
            "size": file.size,
            "md5": file.md5,
        }
        for file in listing.files
    ]
    return NewJob(
        Stage.FETCH,
        payload={
            "source": source,
            "files": files,
            "accepted_missing": listing.missing,
            "references": dict(references),
            "unread": one.unread,
        },
        depends_on=fetch_inputs(
            {file.stem: file.identity for file in listing.files},
            listing.missing,
            references,
            headers=FACTS_VERSION if one.unread else None,
        ),
    )
