"""Events: facts about datasets and monitors, written with the jobs they cause in one
transaction.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import redis
from sqlalchemy import ColumnElement, and_, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.locks import AdvisoryLock
from shared.database.models.operations import Attempt, Dataset, Event, Job, JobState
from shared.events import EventName
from shared.jobs.queues import is_bulk
from shared.jobs.routing import CONCURRENT, NewJob, fingerprint, jobs_for
from shared.jobs.states import lock_datasets, refresh_state
from shared.jobs.subjects import Subject, about, subject_columns
from shared.logs import get_logger
from shared.worker.broker import Messenger

__all__ = ["CHANNEL", "NewEvent", "Outbox", "add_job", "record_event", "send"]

CHANNEL = "cosmo_events"
"""Postgres notification channel; the payload is the id of an event."""


@dataclass(frozen=True)
class NewEvent:
    """A fact to be recorded: its name and detail."""

    name: EventName
    detail: dict[str, Any] = field(default_factory=dict)


class Outbox(list[tuple[str, int]]):
    """Messages (queue, job id) to be sent once the transaction that wrote their jobs has
    committed.
    """


async def add_job(
    session: AsyncSession, subject: Subject, job: NewJob, outbox: Outbox
) -> int | None:
    """Write a job unless the same work is already there; it supersedes older work of its stage.

    Where the jobs of a stage stand side by side, it supersedes none. A job of bulk work gets no
    message here: the dispatcher feeds them in windows, so that a million of them wait in Postgres
    and not in memory.

    Parameters
    ----------
    session
        Session of a transaction.
    subject
        Dataset or monitor that the job is about.
    job
        The job.
    outbox
        Receives its message.

    Returns
    -------
    int or None
        Id of the job; None where the same work exists already.
    """
    if isinstance(subject, int):
        await lock_datasets(session, [subject])
    waits = is_bulk(job.queue)
    sent_at = None if waits else func.now()
    statement = insert(Job).values(
        stage=job.stage,
        **subject_columns(subject),
        fingerprint=fingerprint(job.depends_on),
        queue=job.queue,
        payload=job.payload,
        state=JobState.QUEUED,
        attempts=0,
        sent_at=sent_at,
    )
    # Inputs that return to an earlier content make that earlier work current again.
    statement = statement.on_conflict_do_update(
        index_elements=["stage", "dataset_id", "monitor", "fingerprint"],
        set_={
            "state": JobState.QUEUED,
            "queue": statement.excluded.queue,
            "trace": statement.excluded.trace,
            "payload": statement.excluded.payload,
            "attempts": 0,
            "not_before": func.now(),
            "sent_at": sent_at,
            "error": None,
            "error_kind": None,
            "finished_at": None,
        },
        where=Job.state == JobState.SUPERSEDED,
    )
    job_id = (await session.execute(statement.returning(Job.id))).scalar_one_or_none()
    if job_id is None:
        return None
    if job.stage not in CONCURRENT:
        await _supersede(
            session, and_(about(Job, subject), Job.stage == job.stage, Job.id != job_id)
        )
    if isinstance(subject, int):
        await refresh_state(session, subject)
    if not waits:
        outbox.append((job.queue, job_id))
    return job_id


async def _supersede(session: AsyncSession, older: ColumnElement[bool]) -> None:
    """Let new work replace older work.

    An attempt at that is over, though its worker has yet to notice.
    """
    replaced = await session.execute(
        update(Job)
        .where(older, Job.state.not_in((JobState.DROPPED, JobState.SUPERSEDED)))
        .values(state=JobState.SUPERSEDED, lease_until=None)
        .returning(Job.id)
    )
    await session.execute(
        update(Attempt)
        .where(Attempt.job_id.in_(replaced.scalars().all()), Attempt.finished_at.is_(None))
        .values(finished_at=func.now(), outcome="superseded")
    )


async def record_event(
    session: AsyncSession,
    subject: Subject | None,
    event: NewEvent,
    outbox: Outbox,
    job_id: int | None = None,
) -> None:
    """Write an event and, where it happened to a dataset, the jobs it causes and the dataset's
    state.

    Parameters
    ----------
    session
        Session of the transaction that made the fact true; call this last in it.
    subject
        Dataset or monitor that it happened to; None where it is about the tables as a whole.
    event
        The fact.
    outbox
        Receives the messages of the jobs; send them after the commit.
    job_id
        Job that brought it about.
    """
    if isinstance(subject, int):
        await lock_datasets(session, [subject])
        kind = (
            await session.execute(select(Dataset.kind).where(Dataset.id == subject))
        ).scalar_one()
        cause = (
            await session.execute(select(Job.queue).where(Job.id == job_id))
        ).scalar_one_or_none()
        for job in jobs_for(event.name, kind, event.detail, cause):
            await add_job(session, subject, job, outbox)
        await refresh_state(session, subject)
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": AdvisoryLock.EVENTS})
    row = Event(name=event.name, **subject_columns(subject), job_id=job_id, detail=event.detail)
    session.add(row)
    await session.flush()
    await session.execute(
        text("SELECT pg_notify(:channel, :id)"), {"channel": CHANNEL, "id": str(row.id)}
    )


async def send(messenger: Messenger, outbox: Outbox) -> None:
    """Send the messages of an outbox.

    A broker that is away is no error, since the dispatcher sends again.

    Parameters
    ----------
    messenger
        Sends them.
    outbox
        Messages of jobs that are committed.
    """
    for number, (queue, job_id) in enumerate(outbox):
        try:
            await asyncio.to_thread(messenger.send, queue, job_id)
        except redis.RedisError as error:
            # One broker that is away is waited for once, not once for every message.
            left = len(outbox) - number
            get_logger().warning(
                "messages not sent; the dispatcher will",
                first_job=job_id,
                left=left,
                error=str(error),
            )
            return
