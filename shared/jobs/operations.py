"""Operations on jobs and datasets."""

from collections.abc import Sequence

from sqlalchemy import ARRAY, BigInteger, any_, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.operations import Dataset, Job, JobState
from shared.errors import PermanentError
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.jobs.states import lock_datasets, refresh_states
from shared.jobs.subjects import subject_of

__all__ = ["drop", "force", "requeue"]


async def requeue(session: AsyncSession, job_ids: Sequence[int]) -> int:
    """Put failed, skipped or dropped jobs back into the queue, with a fresh count of attempts.

    The dispatcher sends their messages. Returns how many there were.
    """
    return await _move(
        session,
        job_ids,
        (JobState.FAILED, JobState.SKIPPED, JobState.DROPPED),
        EventName.JOB_REQUEUED,
        state=JobState.QUEUED,
        attempts=0,
        not_before=func.now(),
        sent_at=None,
        finished_at=None,
    )


async def drop(session: AsyncSession, job_ids: Sequence[int]) -> int:
    """Take failed jobs off the list of failures. Returns how many there were."""
    return await _move(
        session, job_ids, (JobState.FAILED,), EventName.JOB_DROPPED, state=JobState.DROPPED
    )


async def _move(
    session: AsyncSession,
    job_ids: Sequence[int],
    states: tuple[JobState, ...],
    event: EventName,
    **values: object,
) -> int:
    # As one array: a statement takes 32767 parameters at most.
    wanted = literal(list(job_ids), ARRAY(BigInteger))
    query = select(Job.id, Job.dataset_id).where(Job.id == any_(wanted), Job.state.in_(states))
    chosen = (await session.execute(query)).all()
    datasets = [job.dataset_id for job in chosen if job.dataset_id is not None]
    await lock_datasets(session, datasets)
    moved = (
        await session.execute(
            update(Job)
            .where(
                Job.id == any_(literal([job.id for job in chosen], ARRAY(BigInteger))),
                Job.state.in_(states),
            )
            .values(**values)
            .returning(Job.id, Job.dataset_id, Job.monitor, Job.stage)
        )
    ).all()
    await refresh_states(session, datasets)
    for job_id, dataset_id, monitor, stage in moved:
        # Neither event causes jobs, so nothing is left to send.
        await record_event(
            session,
            subject_of(dataset_id, monitor),
            NewEvent(event, {"stage": stage.value}),
            Outbox(),
            job_id,
        )
    return len(moved)


async def force(session: AsyncSession, rootname: str) -> list[str]:
    """Process an incomplete dataset.

    The next scan takes it and its run records what was missing.

    Returns
    -------
    list of str
        Names of the files that were missing.

    Raises
    ------
    PermanentError
        If there is no such dataset, or nothing of it is missing.
    """
    dataset = (
        await session.execute(select(Dataset).where(Dataset.rootname == rootname))
    ).scalar_one_or_none()
    if dataset is None:
        raise PermanentError(
            f"no dataset {rootname}; `cosmo datasets` lists those that were discovered"
        )
    if not dataset.missing:
        raise PermanentError(f"dataset {rootname} is complete; there is nothing to force")
    dataset.forced = True
    await session.flush()
    await record_event(
        session,
        dataset.id,
        NewEvent(EventName.DATASET_FORCED, {"missing": dataset.missing}),
        Outbox(),
    )
    return [str(name) for name in dataset.missing]
