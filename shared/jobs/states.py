"""State of a dataset as a function of its jobs, so that it cannot disagree with them."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ARRAY, BigInteger, any_, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.operations import Dataset, DatasetState, Job, JobState, Stage

__all__ = ["derive_state", "lock_datasets", "refresh_state"]

_ORDER = {Stage.FETCH: 0, Stage.CALIBRATE: 1, Stage.INGEST_RAW: 2, Stage.INGEST_PRODUCTS: 2}
_RUNNING = (DatasetState.FETCHING, DatasetState.CALIBRATING, DatasetState.INGESTING)
_DONE = (DatasetState.FETCHED, DatasetState.CALIBRATED, DatasetState.INGESTED)


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

    Who changes jobs takes the datasets first, then the jobs, then the lock of the events: in one
    order, so that no two wait for each other. The lock leaves the row to foreign keys, which every
    new job, file and run of it checks.
    """
    # As one array: a statement takes 32767 parameters at most, and a scan may bring more datasets.
    ids = literal(sorted(set(dataset_ids)), ARRAY(BigInteger))
    query = select(Dataset.id).where(Dataset.id == any_(ids)).order_by(Dataset.id)
    await session.execute(query.with_for_update(key_share=True))


async def refresh_state(session: AsyncSession, dataset_id: int) -> DatasetState:
    """Update the state of a dataset inside the transaction that changed one of its jobs.

    Parameters
    ----------
    session
        Session of that transaction.
    dataset_id
        Dataset.
    """
    # Nor may two transactions each derive a state that the other makes wrong.
    await lock_datasets(session, [dataset_id])
    await session.flush()
    jobs = (
        await session.execute(
            select(Job.stage, Job.state, Job.error_kind, Job.error)
            .where(Job.dataset_id == dataset_id, Job.stage.in_(_ORDER))
            .order_by(Job.id.desc())
        )
    ).all()
    state = derive_state([(stage, job_state) for stage, job_state, _, _ in jobs])
    wrong = JobState.FAILED if state is DatasetState.FAILED else JobState.SKIPPED
    blame = next((job for job in jobs if job.state is wrong), None)
    if state not in (DatasetState.FAILED, DatasetState.SKIPPED):
        blame = None
    await session.execute(
        update(Dataset)
        .where(Dataset.id == dataset_id)
        .values(
            state=state,
            reason=blame.error if blame else None,
            failed_stage=blame.stage.value if blame else None,
            error_kind=blame.error_kind if blame else None,
        )
    )
    return state
