"""The dispatcher: sends messages for jobs that are due but silent, and sweeps up after workers that
died.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import redis
from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.exc import DBAPIError

from shared.database.clock import is_ago
from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.database.models.operations import Job, JobState
from shared.errors import LostClaimError
from shared.jobs.claims import claimed_job, fail
from shared.jobs.due import is_waiting
from shared.jobs.events import Outbox
from shared.jobs.leases import Lease, LeaseWatch
from shared.jobs.queues import Queue
from shared.logs import get_logger
from shared.settings import JobSettings
from shared.worker.broker import Messenger
from shared.worker.presence import write_worker_alerts

__all__ = ["Dispatcher"]

_TURN_SECONDS = 60.0
"""Many times what a turn takes."""


class Dispatcher:
    """Runs in every worker process; one of them leads at a time.

    Parameters
    ----------
    database
        Database with the jobs.
    messenger
        Sends the messages.
    settings
        Pauses and windows.
    """

    def __init__(self, database: Database, messenger: Messenger, settings: JobSettings) -> None:
        self._database = database
        self._messenger = messenger
        self._settings = settings
        self._leases = LeaseWatch(settings.lease_seconds)

    async def run(self) -> None:
        """Lead whenever no other dispatcher does, until cancelled."""
        await keep_leading(
            self._database, AdvisoryLock.DISPATCHER, self._settings.sweep_seconds, self._lead
        )

    async def _lead(self, turns: AsyncIterator[None]) -> None:
        # What an earlier lead of this process saw is out of date.
        self._leases = LeaseWatch(self._settings.lease_seconds)
        async for _ in turns:
            # Another one leads where a statement of this one is never answered.
            async with asyncio.timeout(_TURN_SECONDS):
                await self._sweep()

    async def _sweep(self) -> None:
        await self.expire()
        async with self._database.transaction() as session:
            await write_worker_alerts(session)
        for queue in Queue:
            try:
                await self.feed(queue)
            except redis.RedisError as error:
                get_logger().warning("messages wait in Postgres", queue=queue, error=str(error))

    async def expire(self) -> int:
        """End the attempts whose lease ran out.

        Their worker died or lost touch. Returns how many there were.
        """
        query = select(Job.id, Job.attempts, Job.lease_until, Job.lease_until < func.now())
        async with self._database.session() as session:
            rows = (await session.execute(query.where(Job.state == JobState.RUNNING))).all()
        leases = {
            job_id: (Lease(attempt, until), bool(over)) for job_id, attempt, until, over in rows
        }
        overdue = self._leases.find_expired(leases)
        for job_id in overdue:
            try:
                await self._expire(job_id, leases[job_id][0])
            except LostClaimError:
                continue
            except DBAPIError as error:
                # One job must not be in the way of the others.
                get_logger().error("lease not expired", job=job_id, error=str(error))
        return len(overdue)

    async def _expire(self, job_id: int, lease: Lease) -> None:
        outbox = Outbox()
        unchanged = (
            Job.state == JobState.RUNNING,
            Job.attempts == lease.attempt,
            Job.lease_until == lease.until,
        )
        async with self._database.transaction() as session:
            job = (
                await session.execute(select(Job).where(Job.id == job_id, *unchanged))
            ).scalar_one_or_none()
            if job is None:
                return
            claimed = await claimed_job(session, job)
            reason = (
                f"worker {claimed.worker} stopped renewing its lease in the middle of the "
                "work (killed, or cut off)"
            )
            # Its silence for a whole lease was pause enough.
            await fail(
                session,
                claimed,
                LostClaimError.kind,
                reason,
                self._settings,
                outbox,
                pause=timedelta(0),
            )
        get_logger().warning(
            "lease expired", job=job_id, dataset=claimed.subject_name, worker=claimed.worker
        )

    async def feed(self, queue: str) -> int:
        """Send the messages of a queue that are due, up to its window. Returns how many there were.

        A job whose message was sent is sent again only when nothing waits in the queue: then its
        message is lost.
        """
        waiting = await asyncio.to_thread(self._messenger.waiting, queue)
        room = self._settings.window - waiting
        if room <= 0:
            return 0
        silent: ColumnElement[bool] = Job.sent_at.is_(None)
        if waiting == 0:
            silent = or_(
                silent, is_ago(Job.sent_at, timedelta(seconds=self._settings.resend_seconds))
            )
        async with self._database.transaction() as session:
            due = (
                select(Job.id)
                .where(Job.queue == queue, is_waiting(), silent)
                .order_by(Job.id)
                .limit(room)
                .with_for_update(skip_locked=True)
                # As a subquery it may run once for each row, with another window each time.
                .cte("due")
            )
            feed = (
                update(Job)
                .where(Job.id == due.c.id)
                .values(sent_at=func.now())
                .returning(Job.id)
                .execution_options(synchronize_session=False)
            )
            job_ids = (await session.execute(feed)).scalars().all()
        for job_id in job_ids:
            await asyncio.to_thread(self._messenger.send, queue, job_id)
        return len(job_ids)
