"""The runner: claims a job, runs its handler under a renewed lease, and writes how it ended."""

import asyncio
import contextlib
import os
import socket
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import DATABASE_ERRORS, Database, is_outage, is_refusal, is_victim
from shared.database.models.operations import Attempt, JobState, Stage
from shared.errors import AbsentSourceError, CosmoError, LostClaimError, OutageError
from shared.jobs import claims
from shared.jobs.absences import AbsentSources, unsend
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent, Outbox, record_event, send
from shared.jobs.pause import Pause
from shared.jobs.renewal import LeaseRenewal
from shared.logs import get_logger
from shared.masking import mask_passwords
from shared.metrics import JOB_RETRIES, JOB_SECONDS, JOBS_ENDED
from shared.outages import is_trouble
from shared.settings import JobSettings
from shared.worker.broker import Messenger

__all__ = ["Completion", "Handler", "JobRunner", "worker_name"]

_STOP_SECONDS = 5.0
"""How long a process that stops waits for a Postgres that is away, before its job's lease is left
to run out.
"""

_RETRY_SECONDS = 0.5
"""Pause before a write that Postgres did not take is tried again."""


async def _nothing(_session: AsyncSession) -> None:
    return None


@dataclass(frozen=True)
class Completion:
    """What a handler leaves to be committed.

    Attributes
    ----------
    event
        Fact that the work made true.
    apply
        Writes the results, in the transaction that marks the job done.
    discard
        Removes the outputs when the job turns out to be no longer this worker's.
    """

    event: NewEvent
    apply: Callable[[AsyncSession], Awaitable[None]] = _nothing
    discard: Callable[[], None] = lambda: None


Handler = Callable[[ClaimedJob], Awaitable[Completion]]


def _kind_of(error: BaseException) -> str:
    """Say what an error means for its job."""
    if is_trouble(error):
        return OutageError.kind
    if isinstance(error, CosmoError):
        return error.kind
    return (
        "transient" if isinstance(error, DATABASE_ERRORS) and not is_refusal(error) else "permanent"
    )


def worker_name(service: str) -> str:
    """Return the name of this process, unique while it lives."""
    return f"{service}@{socket.gethostname()}:{os.getpid()}"


async def _discard(completion: Completion) -> None:
    """Remove the outputs of a result that does not count."""
    try:
        await asyncio.to_thread(completion.discard)
    except Exception as error:  # noqa: BLE001 - a store that is away must not keep the end from being written
        get_logger().warning("not discarded; a sweep removes it", error=str(error))


class JobRunner:
    """Runs jobs of one process.

    Parameters
    ----------
    database
        Database with the jobs.
    messenger
        Sends the messages of the jobs that a result causes.
    settings
        Leases, attempts and pauses.
    handlers
        What to do for each stage.
    worker
        Name of this process.
    """

    def __init__(
        self,
        database: Database,
        messenger: Messenger,
        settings: JobSettings,
        handlers: Mapping[Stage, Handler],
        worker: str,
    ) -> None:
        self._database = database
        self._messenger = messenger
        self._settings = settings
        self._handlers = handlers
        self._worker = worker
        self._draining = False
        self._pause = Pause(settings)
        self._absent = AbsentSources(database, settings)
        self._renewal = LeaseRenewal(database, settings)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, job_id: int) -> None:
        """Do a job if it is there to be taken; never raises for what the work does.

        Parameters
        ----------
        job_id
            Job that a message named.
        """
        if self._draining:
            await unsend(self._database, job_id)
            return
        task = asyncio.ensure_future(self._run(job_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    @property
    def trouble(self) -> str | None:
        """Trouble of the environment for which this process takes no jobs.

        None where all is well.
        """
        return self._pause.trouble(busy=bool(self._tasks))

    async def drain(self) -> None:
        """Take no more jobs; finish what runs within the grace period, then give it back."""
        self._draining = True
        self._pause.stop()
        running = set(self._tasks)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=self._settings.grace_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _run(self, job_id: int) -> None:
        await self._pause.over()
        if self._draining:
            await unsend(self._database, job_id)
            return
        try:
            if await self._absent.put_off(job_id):
                return
            async with self._database.autocommit() as session:
                job = await claims.claim(session, job_id, self._worker, self._settings)
        except DATABASE_ERRORS as error:
            # The job is still in Postgres; the dispatcher sends its message again.
            get_logger().warning("claim failed", job=job_id, error=str(error))
            return
        if job is None:
            return
        with structlog.contextvars.bound_contextvars(
            trace=job.trace, job=job.id, dataset=job.subject_name, stage=job.stage.value
        ):
            started = time.monotonic()
            get_logger().info("job started", attempt=job.attempt)
            outcome = await self._attempt(job)
            JOB_SECONDS.labels(job.stage.value).observe(time.monotonic() - started)
            JOBS_ENDED.labels(job.stage.value, outcome).inc()
            get_logger().info(
                "job ended", outcome=outcome, seconds=round(time.monotonic() - started, 3)
            )

    async def _attempt(self, job: ClaimedJob) -> str:
        """Run the handler and write how it ended."""
        work = asyncio.ensure_future(self._handlers[job.stage](job))
        with self._renewal.hold(job) as lost:
            try:
                either: set[asyncio.Future[Any]] = {work, lost}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    work.cancel()
                    await asyncio.wait({work})
                    return "lost"
                return await self._write_end(job, work)
            except asyncio.CancelledError:
                work.cancel()
                await asyncio.wait({work})
                try:
                    # A Postgres that stands still raises nothing, so the clock must.
                    async with asyncio.timeout(_STOP_SECONDS):
                        if not work.cancelled() and work.exception() is None:
                            # It was done before it heard of the stop, or while its end was written.
                            return await self._write_end(job, work)
                        await self._persist(lambda session: claims.give_back(session, job))
                except DATABASE_ERRORS as error:
                    get_logger().warning("not given back; its lease runs out", error=str(error))
                return "given back"

    async def _write_end(self, job: ClaimedJob, work: "asyncio.Future[Completion]") -> str:
        error = work.exception()
        outbox = Outbox()
        if error is None:
            completion = work.result()

            async def commit(session: AsyncSession) -> None:
                outbox.clear()
                await claims.finish(session, job)
                await completion.apply(session)
                await claims.resolve_failed_run(session, job)
                await record_event(session, job.subject, completion.event, outbox, job.id)

            try:
                kept = await self._persist(commit)
            except Exception as reason:  # noqa: BLE001 - a result that cannot be written is a failed attempt
                error = reason
            else:
                if not kept and not await self._is_done(job):
                    await _discard(completion)
                    return "lost"
                self._pause.end()
                self._absent.end(job)
                await send(self._messenger, outbox)
                return "done"
            await _discard(completion)
        kind = _kind_of(error)
        # Readers see both, and addresses of sources may have passwords.
        message = mask_passwords(
            str(error) if isinstance(error, CosmoError) else f"{type(error).__name__}: {error}"
        )
        log = mask_passwords("".join(traceback.format_exception(error)))
        get_logger().warning("job failed", kind=kind, error=message)
        if kind == OutageError.kind:
            if isinstance(error, AbsentSourceError):
                pause = self._absent.begin(error, message)
            else:
                pause = self._pause.begin(message)

            async def give_back(session: AsyncSession) -> None:
                await claims.give_back(session, job, pause=pause, kind=kind, error=message, log=log)

            if not await self._persist(give_back):
                return "lost"
            JOB_RETRIES.labels(job.stage.value, kind).inc()
            return "given back"
        self._pause.end()
        self._absent.end(job)
        state = JobState.FAILED

        async def write_failure(session: AsyncSession) -> None:
            nonlocal state
            outbox.clear()
            state = await claims.fail(session, job, kind, message, self._settings, outbox, log)

        if not await self._persist(write_failure):
            return "lost"
        if state is JobState.QUEUED:
            JOB_RETRIES.labels(job.stage.value, kind).inc()
        return "skipped" if kind in claims.UNACTED else "failed"

    async def _persist(self, write: Callable[[AsyncSession], Awaitable[None]]) -> bool:
        """Commit a transaction, waiting out an outage of Postgres however long.

        False where the job is lost.
        """
        while True:
            try:
                async with self._database.transaction() as session:
                    await write(session)
            except LostClaimError:
                return False
            except DATABASE_ERRORS as error:
                if not (is_outage(error) or is_victim(error)):
                    raise
                get_logger().warning("not written; tried again", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return True

    async def _is_done(self, job: ClaimedJob) -> bool:
        """Return whether this attempt's end was committed after all.

        An outage can swallow the answer to a commit.
        """
        committed = False

        async def read(session: AsyncSession) -> None:
            nonlocal committed
            mine = (
                Attempt.job_id == job.id,
                Attempt.number == job.attempt,
                Attempt.worker == job.worker,
            )
            newest = select(Attempt.outcome).where(*mine).order_by(Attempt.id.desc()).limit(1)
            committed = (await session.execute(newest)).scalar() == "done"

        await self._persist(read)
        return committed
