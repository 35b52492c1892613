"""The dispatcher: sends messages for jobs that are due but silent, and sweeps up after workers that died."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import redis
from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.broker import JOB_QUEUES, Messenger
from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.database.models.operations import Dataset, Job, JobState
from shared.errors import LostClaimError
from shared.jobs.claims import ClaimedJob, fail
from shared.jobs.events import Outbox
from shared.jobs.subjects import subject_of
from shared.logs import get_logger
from shared.settings import JobSettings

__all__ = ["Dispatcher"]


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

    async def run(self) -> None:
        """Lead whenever no other dispatcher does, until cancelled."""
        await keep_leading(self._database, AdvisoryLock.DISPATCHER, self._settings.sweep_seconds, self._lead)

    async def _lead(self, turns: AsyncIterator[None]) -> None:
        loop = asyncio.get_running_loop()
        # After a restart of Postgres every lease may be overdue: leave its holder the time to renew, which it tries
        # three times within a lease.
        patience = loop.time() + self._settings.lease_seconds / 2
        async for _ in turns:
            if loop.time() > patience:
                await self.expire()
            try:
                for queue in JOB_QUEUES:
                    await self.feed(queue)
            except redis.RedisError as error:
                get_logger().warning("the broker does not answer; messages wait in Postgres", error=str(error))

    async def expire(self) -> int:
        """End the attempts whose lease ran out: their worker died or lost touch. Returns how many there were."""
        outbox = Outbox()
        async with self._database.transaction() as session:
            overdue = (
                await session.execute(
                    select(Job, Dataset.rootname, Dataset.kind)
                    .outerjoin(Dataset)
                    .where(Job.state == JobState.RUNNING, Job.lease_until < func.now())
                    .with_for_update(of=Job, skip_locked=True)
                    .limit(self._settings.window)
                )
            ).all()
            for job, rootname, kind in overdue:
                await self._expire(session, job, rootname, kind, outbox)
        return len(overdue)

    async def _expire(
        self, session: AsyncSession, job: Job, rootname: str | None, kind: str | None, outbox: Outbox
    ) -> None:
        worker = job.worker or "unknown"
        claimed = ClaimedJob(
            job.id,
            job.stage,
            subject_of(job.dataset_id, job.monitor),
            rootname or str(job.monitor),
            kind or "monitor",
            job.payload,
            job.fingerprint,
            job.attempts,
            worker,
            job.trace,
        )
        reason = f"worker {worker} stopped renewing its lease in the middle of the work (killed, or cut off)"
        try:
            # Its silence for a whole lease was pause enough.
            await fail(session, claimed, "transient", reason, self._settings, outbox, pause=timedelta(0))
        except LostClaimError:
            return
        get_logger().warning("lease expired", job=job.id, dataset=claimed.rootname, worker=worker)

    async def feed(self, queue: str) -> int:
        """Send the messages of a queue that are due, up to its window. Returns how many there were.

        A job whose message was sent is sent again only when nothing waits in the queue: then its message is lost.
        """
        waiting = await asyncio.to_thread(self._messenger.waiting, queue)
        room = self._settings.window - waiting
        if room <= 0:
            return 0
        silent: ColumnElement[bool] = Job.sent_at.is_(None)
        if waiting == 0:
            silent = or_(silent, Job.sent_at < func.now() - timedelta(seconds=self._settings.resend_seconds))
        async with self._database.transaction() as session:
            due = (
                select(Job.id)
                .where(Job.queue == queue, Job.state == JobState.QUEUED, Job.not_before <= func.now(), silent)
                .order_by(Job.id)
                .limit(room)
                .with_for_update(skip_locked=True)
            )
            job_ids = (
                (await session.execute(update(Job).where(Job.id.in_(due)).values(sent_at=func.now()).returning(Job.id)))
                .scalars()
                .all()
            )
        for job_id in job_ids:
            await asyncio.to_thread(self._messenger.send, queue, job_id)
        return len(job_ids)
