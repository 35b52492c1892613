"""The dispatcher: sends messages for jobs that are due but silent, and sweeps up after workers that
died.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import redis
from sqlalchemy import ARRAY, ColumnElement, String, and_, func, literal, select, update
from sqlalchemy.exc import DBAPIError

from shared.database.clock import is_ago
from shared.database.engine import DATABASE_ERRORS, Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.database.models.operations import Job, JobState
from shared.errors import LostClaimError
from shared.jobs.claims import claimed_job, fail
from shared.jobs.counts import merge_counts
from shared.jobs.due import is_waiting
from shared.jobs.events import Outbox
from shared.jobs.leases import Lease, LeaseWatch
from shared.jobs.queues import Queue
from shared.logs import get_logger
from shared.metrics import JOB_RETRIES, LEASE_FAILURES
from shared.settings import JobSettings
from shared.tasks import end_task
from shared.worker.broker import Messenger
from shared.worker.broker_outage import AWAY
from shared.worker.presence import write_worker_alerts

__all__ = ["Dispatcher"]

_TURN_SECONDS = 60.0
"""Many times what a turn takes."""
_FOLLOW_SECONDS = 0.25
"""Pause between two looks at a queue that is behind: half a window in it is 400 jobs a second."""


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
        self._behind = set[str]()
        """Queues for which more jobs may be due than their windows hold."""
        self._any_behind = asyncio.Event()

    async def run(self) -> None:
        """Lead whenever no other dispatcher does, until cancelled."""
        await keep_leading(
            self._database, AdvisoryLock.DISPATCHER, self._settings.sweep_seconds, self._lead
        )

    async def _lead(self, turns: AsyncIterator[None]) -> None:
        # What an earlier lead of this process saw is out of date.
        self._leases = LeaseWatch(self._settings.lease_seconds)
        following = asyncio.ensure_future(self._follow())
        try:
            async for _ in turns:
                # Another one leads where a statement of this one is never answered.
                async with asyncio.timeout(_TURN_SECONDS):
                    await self._sweep()
        finally:
            await end_task(following)

    async def _follow(self) -> None:
        """Fill the queues again as they are worked off, where Postgres has more than a window."""
        while await self._any_behind.wait():
            await asyncio.sleep(_FOLLOW_SECONDS)
            for queue in sorted(self._behind):
                try:
                    waiting = await asyncio.to_thread(self._messenger.waiting, queue)
                    if waiting <= self._settings.window // 2:
                        await self._fill(queue, waiting)
                except (redis.RedisError, *DATABASE_ERRORS) as error:
                    get_logger().warning("left to the next sweep", queue=queue, error=str(error))
                    self._note(queue, behind=False)

    async def _sweep(self) -> None:
        await self.expire()
        async with self._database.transaction() as session:
            await write_worker_alerts(session)
            await merge_counts(session)
        for queue in await self._queues():
            try:
                await self.feed(queue)
            except AWAY:
                return  # the broker says so itself
            except redis.RedisError as error:
                get_logger().warning("messages wait in Postgres", queue=queue, error=str(error))

    async def _queues(self) -> list[str]:
        """Return the queues of which jobs wait, so that the others cost nothing."""
        queues = func.unnest(
            literal([str(queue) for queue in Queue], ARRAY(String))
        ).column_valued()
        waits = select(Job.id).where(Job.queue == queues, Job.state == JobState.QUEUED)
        async with self._database.session() as session:
            return list((await session.execute(select(queues).where(waits.exists()))).scalars())

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
            claimed = await claimed_job(session, job_id, *unchanged)
            if claimed is None:
                return
            reason = (
                f"worker {claimed.worker} stopped renewing its lease in the middle of the "
                "work (killed, or cut off)"
            )
            # Its silence for a whole lease was pause enough.
            state = await fail(
                session,
                claimed,
                LostClaimError.kind,
                reason,
                self._settings,
                outbox,
                pause=timedelta(0),
            )
        LEASE_FAILURES.labels("expired").inc()
        if state is JobState.QUEUED:
            JOB_RETRIES.labels(claimed.stage.value, LostClaimError.kind).inc()
        get_logger().warning(
            "lease expired", job=job_id, dataset=claimed.subject_name, worker=claimed.worker
        )

    async def feed(self, queue: str) -> int:
        """Send the messages of a queue that are due, up to its window. Returns how many there were.

        A job whose message was sent is sent again only when nothing waits in the queue: then its
        message is lost.
        """
        return await self._fill(queue, await asyncio.to_thread(self._messenger.waiting, queue))

    async def _fill(self, queue: str, waiting: int) -> int:
        """Fill a queue in which so many messages wait."""
        room, sent = self._settings.window - waiting, 0
        if waiting == 0:
            lost = is_ago(Job.sent_at, timedelta(seconds=self._settings.resend_seconds))
            # Half of the room, since what a busy worker holds looks like what is lost.
            sent = await self._send(queue, and_(Job.sent_at.is_not(None), lost), (room + 1) // 2)
        if sent < room:
            sent += await self._send(queue, Job.sent_at.is_(None), room - sent)
        self._note(queue, behind=sent >= room)
        return sent

    def _note(self, queue: str, *, behind: bool) -> None:
        """Note whether there may be more jobs of a queue than its window holds."""
        if behind:
            self._behind.add(queue)
            self._any_behind.set()
        else:
            self._behind.discard(queue)
            if not self._behind:
                self._any_behind.clear()

    async def _send(self, queue: str, silent: ColumnElement[bool], most: int) -> int:
        """Send the messages of the oldest jobs of a queue that are due and silent."""
        async with self._database.transaction() as session:
            due = (
                select(Job.id)
                .where(Job.queue == queue, is_waiting(), silent)
                .order_by(Job.id)
                .limit(most)
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
        await asyncio.to_thread(self._messenger.send, queue, *job_ids)
        return len(job_ids)
