"""Events: facts about datasets and monitors, written with the jobs they cause in one
transaction.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
from sqlalchemy import (
    ARRAY,
    BigInteger,
    String,
    all_,
    any_,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.after_commit import notify_after_commit
from shared.database.models.operations import Attempt, Dataset, Event, Job, JobState, Stage
from shared.events import EventName
from shared.jobs.queues import is_bulk
from shared.jobs.routing import CONCURRENT, NewJob, causes_jobs, fingerprint, jobs_for
from shared.jobs.sequencer import WRITTEN
from shared.jobs.states import lock_datasets, refresh_states
from shared.jobs.subjects import Subject, subject_columns
from shared.logs import get_logger
from shared.worker.broker import Messenger
from shared.worker.broker_outage import AWAY

__all__ = [
    "NewEvent",
    "Outbox",
    "add_job",
    "add_jobs",
    "record_event",
    "record_events",
    "send",
]


@dataclass(frozen=True)
class NewEvent:
    """A fact to be recorded: its name and detail."""

    name: EventName
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Written:
    """A job that was written."""

    id: int
    stage: Stage
    queue: str
    dataset_id: int | None
    monitor: str | None


class Outbox(list[tuple[str, int]]):
    """Messages (queue, job id) to be sent once the transaction that wrote their jobs has
    committed.
    """


async def add_job(
    session: AsyncSession, subject: Subject, job: NewJob, outbox: Outbox
) -> int | None:
    """Write a job as `add_jobs` does; returns its id, or None where the same work exists already.

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
    """
    return next(iter(await add_jobs(session, [(subject, job)], outbox)), None)


async def add_jobs(
    session: AsyncSession, jobs: Sequence[tuple[Subject, NewJob]], outbox: Outbox
) -> list[int]:
    """Write jobs unless the same work is already there; they supersede older work of their stage.

    Where the jobs of a stage stand side by side, they supersede none. A job of bulk work gets no
    message here: the dispatcher feeds them in windows, so that a million of them wait in Postgres
    and not in memory.

    Parameters
    ----------
    session
        Session of a transaction.
    jobs
        Dataset or monitor that each job is about, and the job; no work is there twice.
    outbox
        Receives their messages.

    Returns
    -------
    list of int
        Ids of the jobs that were written.
    """
    await lock_datasets(session, [subject for subject, _ in jobs if isinstance(subject, int)])
    statement = insert(Job)
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
            "sent_at": statement.excluded.sent_at,
            "error": None,
            "error_kind": None,
            "finished_at": None,
        },
        where=Job.state == JobState.SUPERSEDED,
    )
    written: list[_Written] = []
    for waits, chosen in _by_waiting(jobs):
        rows = await session.execute(
            statement.values(sent_at=None if waits else func.now()).returning(
                Job.id, Job.stage, Job.queue, Job.dataset_id, Job.monitor
            ),
            [
                {
                    "stage": job.stage,
                    **subject_columns(subject),
                    "fingerprint": fingerprint(job.depends_on),
                    "queue": job.queue,
                    "payload": job.payload,
                    "state": JobState.QUEUED,
                    "attempts": 0,
                }
                for subject, job in chosen
            ],
        )
        found = [_Written(*row) for row in rows]
        written += found
        if not waits:
            outbox.extend((row.queue, row.id) for row in found)
    for stage in {row.stage for row in written} - CONCURRENT:
        await _supersede(session, stage, [row for row in written if row.stage is stage])
    await refresh_states(session, [row.dataset_id for row in written if row.dataset_id is not None])
    return [row.id for row in written]


def _by_waiting(
    jobs: Sequence[tuple[Subject, NewJob]],
) -> list[tuple[bool, list[tuple[Subject, NewJob]]]]:
    """Return the jobs by whether they wait for the dispatcher, without empty ones."""
    chosen: dict[bool, list[tuple[Subject, NewJob]]] = {}
    for subject, job in jobs:
        chosen.setdefault(is_bulk(job.queue), []).append((subject, job))
    return list(chosen.items())


async def _supersede(session: AsyncSession, stage: Stage, newer: Sequence[_Written]) -> None:
    """Let new jobs replace the older ones on the same subjects.

    An attempt at one of these is over, though its worker has yet to notice.
    """
    datasets = [row.dataset_id for row in newer if row.dataset_id is not None]
    monitors = [row.monitor for row in newer if row.monitor is not None]
    replaced = await session.execute(
        update(Job)
        .where(
            or_(
                Job.dataset_id == any_(literal(datasets, ARRAY(BigInteger))),
                Job.monitor == any_(literal(monitors, ARRAY(String))),
            ),
            Job.stage == stage,
            Job.id != all_(literal([row.id for row in newer], ARRAY(BigInteger))),
            Job.state.not_in((JobState.DROPPED, JobState.SUPERSEDED)),
        )
        .values(state=JobState.SUPERSEDED, lease_until=None)
        .returning(Job.id)
    )
    if ids := replaced.scalars().all():
        await session.execute(
            update(Attempt)
            .where(
                Attempt.job_id == any_(literal(ids, ARRAY(BigInteger))),
                Attempt.finished_at.is_(None),
            )
            .values(finished_at=func.now(), outcome="superseded")
        )


async def record_event(
    session: AsyncSession,
    subject: Subject | None,
    event: NewEvent,
    outbox: Outbox,
    job_id: int | None = None,
) -> None:
    """Write an event and, where it happened to a dataset, the jobs it causes.

    Readers of the feed see it once the sequencer has given it a place there.

    Parameters
    ----------
    session
        Session of the transaction that made the fact true.
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
        if causes_jobs(event.name):
            queue = select(Job.queue).where(Job.id == job_id).scalar_subquery()
            found = await session.execute(select(Dataset.kind, queue).where(Dataset.id == subject))
            kind, cause = found.one()
            jobs = jobs_for(event.name, kind, event.detail, cause)
            await add_jobs(session, [(subject, job) for job in jobs], outbox)
    await _write_events(session, [(subject, event)], job_id)


async def record_events(session: AsyncSession, events: Sequence[tuple[Subject, NewEvent]]) -> None:
    """Write events that cause no jobs.

    Parameters
    ----------
    session
        Session of the transaction that made the facts true.
    events
        Dataset or monitor that each happened to, and the fact.
    """
    await lock_datasets(session, [subject for subject, _ in events if isinstance(subject, int)])
    await _write_events(session, events, None)


async def _write_events(
    session: AsyncSession, events: Sequence[tuple[Subject | None, NewEvent]], job_id: int | None
) -> None:
    if not events:
        return
    rows = [
        {
            "name": event.name,
            **subject_columns(subject),
            "job_id": job_id,
            "detail": event.detail,
        }
        for subject, event in events
    ]
    # Without RETURNING one row after the other: the ids of a dataset's events are their order.
    await session.execute(insert(Event), rows)
    notify_after_commit(session, WRITTEN)


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
    jobs = defaultdict[str, list[int]](list)
    for queue, job_id in outbox:
        jobs[queue].append(job_id)
    for queue, job_ids in jobs.items():
        try:
            await asyncio.to_thread(messenger.send, queue, *job_ids)
        except AWAY:
            return  # the broker says so itself
        except redis.RedisError as error:
            # One broker that is away is waited for once, not once for every queue.
            get_logger().warning(
                "messages not sent; the dispatcher will", queue=queue, error=str(error)
            )
            return
