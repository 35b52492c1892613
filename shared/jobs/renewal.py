"""Leases of the jobs of a process, renewed in one statement while they run."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from shared.database.engine import Database
from shared.errors import LostClaimError
from shared.jobs.claims import ClaimedJob, renew_all, take_back
from shared.logs import get_logger
from shared.metrics import LEASE_FAILURES
from shared.settings import JobSettings

__all__ = ["LeaseRenewal"]

_RENEWALS = 3
"""How many times a lease is renewed within its length."""
_RENEWAL_SECONDS = 10.0
"""Longest wait for a renewal, after which another connection is tried."""
_RETRY_SECONDS = 0.5
"""Pause before a renewal that Postgres did not take is tried again."""


class LeaseRenewal:
    """Renews the leases of all jobs that a process holds.

    Parameters
    ----------
    database
        Database with the jobs.
    settings
        Length of a lease.
    """

    def __init__(self, database: Database, settings: JobSettings) -> None:
        self._database, self._settings = database, settings
        self._held: dict[int, tuple[ClaimedJob, asyncio.Future[None]]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def hold(self, job: ClaimedJob) -> Iterator["asyncio.Future[None]"]:
        """Renew the lease of a job for the length of a block.

        Yields what is done when the job is no longer this worker's.
        """
        lost = asyncio.get_running_loop().create_future()
        self._held[job.id] = job, lost
        if self._task is None:
            self._task = asyncio.create_task(self._keep())
        try:
            yield lost
        finally:
            del self._held[job.id]
            if not self._held:
                self._task.cancel()
                self._task = None

    async def _keep(self) -> None:
        """Renew until cancelled."""
        usual = self._settings.lease_seconds / _RENEWALS
        pause = usual
        while True:
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(_RENEWAL_SECONDS):
                    await self._renew()
                pause = usual
            except Exception as error:  # noqa: BLE001 - whatever fails here, the next renewal must come
                get_logger().warning("leases not renewed", error=str(error))
                LEASE_FAILURES.labels("late").inc()
                pause = min(_RETRY_SECONDS, usual)

    async def _renew(self) -> None:
        """Renew all leases, and take those jobs back that were given up for lost."""
        held = [job for job, lost in self._held.values() if not lost.done()]
        if not held:
            return
        async with self._database.autocommit() as session:
            for job in await renew_all(session, held, self._settings):
                if job.id not in self._held:
                    continue  # it has ended meanwhile
                try:
                    await take_back(session, job, self._settings)
                except LostClaimError as error:
                    self._note_lost(job, error)

    def _note_lost(self, job: ClaimedJob, error: LostClaimError) -> None:
        _, lost = self._held.get(job.id, (None, None))
        if lost is None:
            return
        get_logger().warning(
            "lease lost", job=job.id, dataset=job.subject_name, trace=job.trace, error=str(error)
        )
        LEASE_FAILURES.labels("lost").inc()
        lost.set_result(None)
