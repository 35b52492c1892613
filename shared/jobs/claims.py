"""Claims: a worker takes a job by a conditional UPDATE with a lease, and ends it the same way."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.alerts import open_alert, resolve_alerts
from shared.database.models.monitoring import Severity
from shared.database.models.operations import Attempt, Dataset, Job, JobState, Stage
from shared.errors import (
    LostClaimError,
    MemoryShortError,
    RefusedError,
    TransientError,
    UnsupportedError,
)
from shared.events import EventName
from shared.jobs.due import is_held, is_waiting, retry_pause
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.jobs.states import lock_datasets, refresh_state
from shared.jobs.subjects import Subject, subject_of
from shared.settings import JobSettings

__all__ = [
    "ClaimedJob",
    "claim",
    "claimed_job",
    "close_attempt",
    "fail",
    "finish",
    "give_back",
    "renew",
    "resolve_failed_run",
]

_WHAT = {Stage.MONITOR: "monitor", Stage.RECALIBRATE: "calibration"}
"""What failed or was skipped where it is not the dataset."""
UNACTED = frozenset({UnsupportedError.kind, RefusedError.kind})
"""Kinds of errors that no operator acts on: their jobs are skipped, not failed."""

_RETRIED = frozenset({TransientError.kind, LostClaimError.kind, MemoryShortError.kind})
_ATTEMPTS_OF_MEMORY = 2
"""Attempts, at most, at work that took more memory than there was: the next one takes as much."""

_MONITOR = "monitor"
"""Kind of what a job of a monitor is about."""
_FAILED_RUN = "run"
"""Key of the alert of a monitor whose run failed."""

_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class ClaimedJob:
    """A job in the hands of one worker, for one attempt.

    Attributes
    ----------
    subject_name
        Rootname of the dataset, or name of the monitor.
    kind
        Kind of the dataset, or ``monitor``.
    trace
        Shared with the jobs that it comes from and those that it causes.
    """

    id: int
    stage: Stage
    subject: Subject
    subject_name: str
    kind: str
    payload: dict[str, Any]
    fingerprint: str
    attempt: int
    worker: str
    trace: str

    @property
    def dataset_id(self) -> int:
        """Key of the dataset.

        Raises
        ------
        TypeError
            If the job is a monitor's.
        """
        if isinstance(self.subject, str):
            raise TypeError(
                f"job {self.id} is about the monitor {self.subject}, not about a dataset"
            )
        return self.subject


async def claim(
    session: AsyncSession, job_id: int, worker: str, settings: JobSettings
) -> ClaimedJob | None:
    """Take a job that is due.

    Returns
    -------
    ClaimedJob or None
        None where there is nothing to take: done, taken, not due, or gone.
    """
    query = (
        select(Job.dataset_id, Job.monitor, Dataset.rootname, Dataset.kind)
        .outerjoin(Dataset)
        .where(Job.id == job_id, is_waiting())
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    if found.dataset_id is not None:
        await lock_datasets(session, [found.dataset_id])
    job = (
        await session.execute(
            update(Job)
            .where(Job.id == job_id, is_waiting())
            .values(
                state=JobState.RUNNING,
                attempts=Job.attempts + 1,
                worker=worker,
                lease_until=func.now() + timedelta(seconds=settings.lease_seconds),
            )
            .returning(Job)
        )
    ).scalar_one_or_none()
    if job is None:
        return None
    session.add(Attempt(job_id=job_id, number=job.attempts, worker=worker))
    claimed = _claimed(job, found.rootname or found.monitor, found.kind or _MONITOR)
    await _refresh(session, claimed.subject)
    return claimed


async def claimed_job(session: AsyncSession, job: Job) -> ClaimedJob:
    """Describe a job that runs, in the place of its worker."""
    if job.dataset_id is None:
        return _claimed(job, str(job.monitor), _MONITOR)
    query = select(Dataset.rootname, Dataset.kind).where(Dataset.id == job.dataset_id)
    rootname, kind = (await session.execute(query)).one()
    return _claimed(job, rootname, kind)


def _claimed(job: Job, name: str, kind: str) -> ClaimedJob:
    subject = subject_of(job.dataset_id, job.monitor)
    return ClaimedJob(
        job.id,
        job.stage,
        subject,
        name,
        kind,
        job.payload,
        job.fingerprint,
        job.attempts,
        job.worker or "unknown",
        job.trace,
    )


async def _refresh(session: AsyncSession, subject: Subject) -> None:
    if isinstance(subject, int):
        await refresh_state(session, subject)


def _mine(job: ClaimedJob) -> tuple[Any, ...]:
    return (
        Job.id == job.id,
        Job.worker == job.worker,
        Job.attempts == job.attempt,
    )


def _lost(job: ClaimedJob) -> LostClaimError:
    return LostClaimError(
        f"job {job.id} ({job.stage} {job.subject_name}) is no longer held by {job.worker}"
    )


async def renew(session: AsyncSession, job: ClaimedJob, settings: JobSettings) -> None:
    """Extend the lease; take the job back where it ran out and nobody else has it.

    Raises
    ------
    LostClaimError
        If the job is no longer this worker's.
    """
    lease = {"lease_until": func.now() + timedelta(seconds=settings.lease_seconds)}
    running = update(Job).where(*_mine(job), Job.state == JobState.RUNNING)
    if (await session.execute(running.values(lease).returning(Job.id))).first() is not None:
        return
    if isinstance(job.subject, int):
        await lock_datasets(session, [job.subject])
    back = {"state": JobState.RUNNING, "error": None, "error_kind": None, **lease}
    held = update(Job).where(*_mine(job), is_held()).values(back).returning(Job.id)
    if (await session.execute(held)).first() is None:
        raise _lost(job)
    again = {"finished_at": None, "outcome": None, "error_kind": None, "error": None}
    await session.execute(update(Attempt).where(_newest(job)).values(again))
    await _refresh(session, job.subject)


def _newest(job: ClaimedJob) -> ColumnElement[bool]:
    """Return the condition of the row of an attempt: one that was given back left another."""
    same = (Attempt.job_id == job.id, Attempt.number == job.attempt)
    return Attempt.id == select(func.max(Attempt.id)).where(*same).scalar_subquery()


async def close_attempt(
    session: AsyncSession,
    job: ClaimedJob,
    outcome: str,
    *,
    kind: str | None = None,
    error: str | None = None,
    log: str | None = None,
) -> None:
    """Write how an attempt ended."""
    await session.execute(
        update(Attempt)
        .where(
            _newest(job),
            or_(Attempt.finished_at.is_(None), Attempt.error_kind == LostClaimError.kind),
        )
        .values(finished_at=func.now(), outcome=outcome, error_kind=kind, error=error, log=log)
    )


async def _end(session: AsyncSession, job: ClaimedJob, **values: object) -> None:
    if isinstance(job.subject, int):
        await lock_datasets(session, [job.subject])
    result = await session.execute(
        update(Job)
        .where(*_mine(job), is_held())
        .values(lease_until=None, **values)
        .returning(Job.id)
    )
    if result.scalar_one_or_none() is None:
        raise _lost(job)


async def finish(session: AsyncSession, job: ClaimedJob) -> None:
    """Mark a job done; the caller writes its results and its event in the same transaction.

    Raises
    ------
    LostClaimError
        If the job is no longer this worker's.
    """
    await _end(
        session, job, state=JobState.DONE, finished_at=func.now(), error=None, error_kind=None
    )
    await close_attempt(session, job, "done")


async def resolve_failed_run(session: AsyncSession, job: ClaimedJob) -> None:
    """Resolve the alert of a failed run."""
    if isinstance(job.subject, str):
        await resolve_alerts(session, _FAILED_RUN, subject=job.subject)


async def fail(
    session: AsyncSession,
    job: ClaimedJob,
    kind: str,
    error: str,
    settings: JobSettings,
    outbox: Outbox,
    log: str | None = None,
    pause: timedelta | None = None,
) -> JobState:
    """End an attempt that failed: retry later, fail for good, or skip.

    Parameters
    ----------
    session
        Session of a transaction.
    job
        The job.
    kind
        ``transient``, ``lost``, ``memory``, ``permanent``, ``unsupported`` or ``refused``.
    error
        What went wrong and what to do.
    settings
        Attempts and pauses.
    outbox
        Messages to be sent after the commit.
    log
        Log of the attempt.
    pause
        Pause before a retry; None for one that grows with the attempts.

    Raises
    ------
    LostClaimError
        If the job is no longer this worker's.
    """
    most = settings.max_attempts
    if kind == MemoryShortError.kind:
        most = min(most, _ATTEMPTS_OF_MEMORY)
    if kind in _RETRIED and job.attempt < most:
        await _end(
            session,
            job,
            state=JobState.QUEUED,
            not_before=func.now()
            + (retry_pause(settings, job.attempt) if pause is None else pause),
            sent_at=None,
            error=error,
            error_kind=kind,
        )
        state = JobState.QUEUED
    else:
        state = JobState.SKIPPED if kind in UNACTED else JobState.FAILED
        await _end(session, job, state=state, finished_at=func.now(), error=error, error_kind=kind)
    await close_attempt(
        session,
        job,
        state.value if state is not JobState.QUEUED else "failed",
        kind=kind,
        error=error,
        log=log,
    )
    if isinstance(job.subject, str) and state is JobState.FAILED:
        await _alert_of_failed_run(session, job.subject, error)
    detail = {"stage": job.stage.value, "kind": kind, "error": error, "attempt": job.attempt}
    event = NewEvent(_name_end(job.stage, state, kind), detail)
    await record_event(session, job.subject, event, outbox, job.id)
    return state


def _name_end(stage: Stage, state: JobState, kind: str) -> EventName:
    """Name of the event that an attempt ended without a result."""
    if state is JobState.QUEUED:
        return EventName.JOB_RETRIED
    end = "refused" if kind == RefusedError.kind else state.value
    return EventName(f"{_WHAT.get(stage, 'dataset')}.{end}")


async def _alert_of_failed_run(session: AsyncSession, monitor: str, error: str) -> None:
    """Open the alert of a monitor that shows what an earlier run left.

    The next good run resolves it.
    """
    reason = (error.splitlines() or [""])[0][:_LONGEST_MESSAGE]
    message = f"the last run failed, so that everything shown is of an earlier one: {reason}"
    rule = "a run of the monitor fails"
    await open_alert(
        session,
        _FAILED_RUN,
        Severity.ALERT,
        message,
        rule=rule,
        source="the jobs of COSMO",
        subject=monitor,
    )


async def give_back(
    session: AsyncSession,
    job: ClaimedJob,
    *,
    pause: timedelta = timedelta(0),
    kind: str | None = None,
    error: str | None = None,
    log: str | None = None,
) -> None:
    """Return a job that this worker cannot finish; the attempt does not count.

    Parameters
    ----------
    session
        Session of a transaction.
    job
        The job.
    pause
        Pause before it may be taken again.
    kind, error, log
        What was in the way, where it was not the end of the worker.

    Raises
    ------
    LostClaimError
        If the job is no longer this worker's.
    """
    await _end(
        session,
        job,
        state=JobState.QUEUED,
        attempts=Job.attempts - 1,
        sent_at=None,
        not_before=func.now() + pause,
        error_kind=kind,
        error=error,
    )
    await close_attempt(session, job, "given back", kind=kind, error=error, log=log)
    await _refresh(session, job.subject)
