"""State of a dataset as a function of its jobs, so that it cannot disagree with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, any_, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.operations import Dataset, DatasetState, Job, JobState, Stage

__all__ = ["derive_state", "lock_datasets", "refresh_state", "refresh_states"]

_ORDER = {Stage.FETCH: 0, Stage.CALIBRATE: 1, Stage.INGEST_RAW: 2, Stage.INGEST_PRODUCTS: 2}
_HELD = "cosmo.held_datasets"
"""Key of what a session knows of its locks; no transaction here has savepoints, which lose some."""
_RUNNING = (DatasetState.FETCHING, DatasetState.CALIBRATING, DatasetState.INGESTING)
_DONE = (DatasetState.FETCHED, DatasetState.CALIBRATED, DatasetState.INGESTED)


_BLAMED = {DatasetState.FAILED: JobState.FAILED, DatasetState.SKIPPED: JobState.SKIPPED}


@dataclass(frozen=True)
class _Work:
    """Stage, state and fault of a job."""

    stage: Stage
    state: JobState
    error_kind: str | None
    error: str | None


def derive_state(jobs: Sequence[tuple[Stage, JobState]]) -> DatasetState:
    """Return the state of a dataset.

    A failure outweighs everything, then a skip; otherwise the earliest stage that is not done
    decides.

    Parameters
    ----------
    jobs
        Stage and state of each job of the dataset; superseded and dropped ones do not count, nor
        does work beside the pipeline.
    """
    counted = [
        (_ORDER[stage], state)
        for stage, state in jobs
        if stage in _ORDER and state not in (JobState.SUPERSEDED, JobState.DROPPED)
    ]
    states = {state for _, state in counted}
    if JobState.FAILED in states:
        return DatasetState.FAILED
    if JobState.SKIPPED in states:
        return DatasetState.SKIPPED
    pending = [order for order, state in counted if state in (JobState.QUEUED, JobState.RUNNING)]
    if pending:
        first = min(pending)
        if (first, JobState.RUNNING) in counted:
            return _RUNNING[first]
        before = [order for order, _ in counted if order < first]
        return _DONE[max(before)] if before else DatasetState.DISCOVERED
    return _DONE[max(order for order, _ in counted)] if counted else DatasetState.DISCOVERED


async def lock_datasets(session: AsyncSession, dataset_ids: Iterable[int]) -> None:
    """Take datasets for a transaction that changes their jobs.

    Call it before the transaction changes any job.

    Who changes jobs takes the datasets first, then the jobs: in one order, so that no two wait for
    each other. The lock leaves the row to foreign keys, which every new job, file and run of it
    checks.
    """
    held = _held(session)
    if not (wanted := set(dataset_ids) - held):
        return
    # As one array: a statement takes 32767 parameters at most, and a scan may bring more datasets.
    ids = literal(sorted(wanted), ARRAY(BigInteger))
    query = select(Dataset.id).where(Dataset.id == any_(ids)).order_by(Dataset.id)
    await session.execute(query.with_for_update(key_share=True))
    held |= wanted
    session.info[_HELD] = session.sync_session.get_transaction(), held


def _held(session: AsyncSession) -> set[int]:
    """Return the datasets that the transaction of a session has taken, to its end."""
    transaction, held = session.info.get(_HELD, (None, set[int]()))
    current = session.sync_session.get_transaction()
    return set(held) if transaction is current is not None else set()


async def refresh_state(session: AsyncSession, dataset_id: int) -> DatasetState:
    """Update the state of a dataset as `refresh_states` does, and return it.

    Parameters
    ----------
    session
        Session of the transaction that changed one of its jobs.
    dataset_id
        Dataset.
    """
    return (await refresh_states(session, [dataset_id]))[dataset_id]


async def refresh_states(
    session: AsyncSession, dataset_ids: Sequence[int]
) -> dict[int, DatasetState]:
    """Update the states of datasets inside the transaction that changed their jobs.

    Parameters
    ----------
    session
        Session of that transaction.
    dataset_ids
        Datasets.
    """
    if not dataset_ids:
        return {}
    # Nor may two transactions each derive a state that the other makes wrong.
    await lock_datasets(session, dataset_ids)
    await session.flush()
    found: dict[int, list[_Work]] = {dataset_id: [] for dataset_id in dataset_ids}
    rows = await session.execute(
        select(Job.dataset_id, Job.stage, Job.state, Job.error_kind, Job.error)
        .where(
            Job.dataset_id == any_(literal(list(found), ARRAY(BigInteger))), Job.stage.in_(_ORDER)
        )
        .order_by(Job.id.desc())
    )
    for dataset_id, stage, state, kind, error in rows:
        if dataset_id is not None:
            found[dataset_id].append(_Work(stage, state, kind, error))
    states = {
        dataset_id: derive_state([(job.stage, job.state) for job in jobs])
        for dataset_id, jobs in found.items()
    }
    await session.execute(
        update(Dataset),
        [
            {"id": dataset_id, "state": state, **_blame(state, found[dataset_id])}
            for dataset_id, state in states.items()
        ],
    )
    return states


def _blame(state: DatasetState, jobs: Sequence[_Work]) -> dict[str, str | None]:
    """Return why a dataset failed or was skipped, from the newest job that did."""
    blamed = _BLAMED.get(state)
    job = next((job for job in jobs if job.state is blamed), None)
    return {
        "reason": job.error if job else None,
        "failed_stage": job.stage.value if job else None,
        "error_kind": job.error_kind if job else None,
    }
