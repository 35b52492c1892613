"""Readiness of a worker: whether it can take jobs, and if not, why."""

import asyncio
import time

import redis
from sqlalchemy import text

from shared.database.engine import DATABASE_ERRORS, Database
from shared.metrics import REACHABLE
from shared.worker.wakeup import WakeupBroker

__all__ = ["READY", "Readiness"]

READY = "ready"
_CHECK_SECONDS = 2.0
"""Longest wait for each answer; the probes of containers give up after 5 or 6 s."""
_LATELY_SECONDS = 8.0
"""After which Postgres is asked whether it answers: longer than the pause between two signs."""
_UNWRITTEN_SECONDS = 20.0
"""After which a Postgres that answers takes no writes (a standby, a full disk, a lock)."""
_SILENCE = f"no answer within {_CHECK_SECONDS:.0f} s"


class Readiness:
    """Whether a worker can take jobs.

    Parameters
    ----------
    database
        Its database.
    broker
        Its broker.

    Attributes
    ----------
    stage
        ``READY``, or what the worker does instead of taking jobs.
    """

    def __init__(self, database: Database, broker: WakeupBroker) -> None:
        self._database = database
        self._broker = broker
        self.stage = "starting"
        self._written: float | None = None
        self._ping: asyncio.Future[object] | None = None

    def note_written(self) -> None:
        """Note that Postgres has just taken something of this process."""
        self._written = time.monotonic()

    async def fault(self) -> str | None:
        """Say why no job can be taken; None where nothing is in the way."""
        faults = await asyncio.gather(self._fault_of_database(), self._fault_of_broker())
        for server, found in zip(("postgres", "broker"), faults, strict=True):
            REACHABLE.labels(server).set(found is None)
        return next(filter(None, faults), None if self.stage == READY else self.stage)

    async def _fault_of_broker(self) -> str | None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._answer_of_broker()
        except (redis.RedisError, OSError) as error:
            return f"the broker does not answer: {str(error) or _SILENCE}"
        refusal = self._broker.refusal
        return None if refusal is None else f"the broker refuses: {refusal}"

    async def _answer_of_broker(self) -> None:
        """Wait for the answer of the broker to one question at a time.

        A thread waits for longer than we do, and there are few threads.
        """
        if self._ping is None or self._ping.done():
            self._ping = asyncio.ensure_future(asyncio.to_thread(self._broker.client.ping))
            # Whatever it raises, a caller that gave up does not see it.
            self._ping.add_done_callback(lambda ping: ping.cancelled() or ping.exception())
        await asyncio.shield(self._ping)

    async def _fault_of_database(self) -> str | None:
        now, written = time.monotonic(), self._written
        if written is not None and now - written < _LATELY_SECONDS:
            return None
        try:
            async with asyncio.timeout(_CHECK_SECONDS), self._database.session() as session:
                await session.execute(text("SELECT 1"))
        except DATABASE_ERRORS as error:
            return f"Postgres does not answer: {str(error) or _SILENCE}"
        if written is not None and now - written > _UNWRITTEN_SECONDS:
            return f"Postgres has taken no sign of life for {now - written:.0f} s"
        return None
