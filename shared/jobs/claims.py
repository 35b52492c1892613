"""Claims: a worker takes a job by a conditional UPDATE with a lease, and ends it the same way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.alerts import open_alert, resolve_alerts
from shared.database.models.monitoring import Severity
from shared.database.models.operations import Dataset, Job, JobState, Stage
from shared.errors import (
    LostClaimError,
    MemoryShortError,
    RefusedError,
    TransientError,
    UnsupportedError,
)
from shared.events import EventName
from shared.jobs.claim_statements import CLAIM, CLOSE, DESCRIPTION, RETURN, TAKE_BACK
from shared.jobs.due import retry_pause
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.jobs.states import note_locked
from shared.jobs.subjects import Subject, subject_of
from shared.settings import JobSettings

__all__ = [
    "ClaimedJob",
    "claim",
    "claimed_job",
    "fail",
    "finish",
    "give_back",
    "renew",
    "renew_all",
    "resolve_failed_run",
    "take_back",
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
    """Take a job that is due, in one statement.

    Returns
    -------
    ClaimedJob or None
        None where there is nothing to take: done, taken, not due, or gone.
    """
    lease = timedelta(seconds=settings.lease_seconds)
    given = {"for_job": job_id, "by_worker": worker, "lease": lease}
    job = (await session.execute(CLAIM, given)).one_or_none()
    if job is None:
        return None
    if job.dataset_id is not None:
        note_locked(session, [job.dataset_id])
    return _claimed(job)


async def claimed_job(
    session: AsyncSession, job_id: int, *conditions: ColumnElement[bool]
) -> ClaimedJob | None:
    """Describe a job that meets some conditions, in the place of its worker."""
    query = select(*DESCRIPTION, Dataset.rootname, Dataset.kind).outerjoin(Dataset)
    job = (await session.execute(query.where(Job.id == job_id, *conditions))).one_or_none()
    return None if job is None else _claimed(job)


def _claimed(job: Row[Any]) -> ClaimedJob:
    subject = subject_of(job.dataset_id, job.monitor)
    return ClaimedJob(
        job.id,
        job.stage,
        subject,
        job.rootname or job.monitor,
        job.kind or _MONITOR,
        job.payload,
        job.fingerprint,
        job.attempts,
        job.worker or "unknown",
        job.trace,
    )


async def renew(session: AsyncSession, job: ClaimedJob, settings: JobSettings) -> None:
    """Extend the lease; take the job back where it ran out and nobody else has it.

    Raises
    ------
    LostClaimError
        If the job is no longer this worker's.
    """
    if await renew_all(session, [job], settings):
        await take_back(session, job, settings)


async def renew_all(
    session: AsyncSession, jobs: Sequence[ClaimedJob], settings: JobSettings
) -> list[ClaimedJob]:
    """Extend the leases of jobs of one worker; return those that it does not hold any more."""
    renewed = await session.execute(
        update(Job)
        .where(
            tuple_(Job.id, Job.attempts).in_([(job.id, job.attempt) for job in jobs]),
            Job.worker == jobs[0].worker,
            Job.state == JobState.RUNNING,
        )
        .values(lease_until=func.now() + timedelta(seconds=settings.lease_seconds))
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    held = set(renewed.scalars())
    return [job for job in jobs if job.id not in held]


async def take_back(session: AsyncSession, job: ClaimedJob, settings: JobSettings) -> None:
    """Go on with a job whose lease ran out, where nobody else has it.

    Raises
    ------
    LostClaimError
        If the job is no longer this worker's.
    """
    await _change(session, job, TAKE_BACK, lease=timedelta(seconds=settings.lease_seconds))


async def _change(
    session: AsyncSession, job: ClaimedJob, statement: Select[Any], **values: Any
) -> None:
    """Change a job by a statement, after which the transaction holds its dataset."""
    mine = {"for_job": job.id, "by_worker": job.worker, "at_attempt": job.attempt}
    changed = await session.execute(statement, {**mine, **values})
    if changed.one_or_none() is None:
        raise LostClaimError(
            f"job {job.id} ({job.stage} {job.subject_name}) is no longer held by {job.worker}"
        )
    if isinstance(job.subject, int):
        note_locked(session, [job.subject])


async def _end(
    session: AsyncSession,
    job: ClaimedJob,
    statement: Select[Any],
    outcome: str,
    *,
    kind: str | None = None,
    error: str | None = None,
    log: str | None = None,
    **values: Any,
) -> None:
    """End an attempt by a statement."""
    ended = {"new_outcome": outcome, "new_kind": kind, "new_error": error, "new_log": log}
    await _change(session, job, statement, **ended, **values)


async def finish(session: AsyncSession, job: ClaimedJob) -> None:
    """Mark a job done; the caller writes its results and its event in the same transaction.

    Raises
    ------
    LostClaimError
        If the job is no longer this worker's.
    """
    await _end(session, job, CLOSE, "done", new_state=JobState.DONE)


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
    said = {"kind": kind, "error": error, "log": log}
    if kind in _RETRIED and job.attempt < most:
        state = JobState.QUEUED
        pause = retry_pause(settings, job.attempt) if pause is None else pause
        await _end(session, job, RETURN, "failed", uncounted=0, pause=pause, **said)
    else:
        state = JobState.SKIPPED if kind in UNACTED else JobState.FAILED
        await _end(session, job, CLOSE, state.value, new_state=state, **said)
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
    said = {"kind": kind, "error": error, "log": log}
    await _end(session, job, RETURN, "given back", uncounted=1, pause=pause, **said)
