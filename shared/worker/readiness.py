"""Readiness of a worker: whether it can take jobs, and if not, why."""

import asyncio

import redis
from sqlalchemy import text

from shared.database.engine import DATABASE_ERRORS, Database
from shared.worker.wakeup import WakeupBroker

__all__ = ["READY", "Readiness"]

READY = "ready"
_CHECK_SECONDS = 2.0
"""Longest wait for each answer; the probes of containers give up after 5 or 6 s."""
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

    async def fault(self) -> str | None:
        """Say why no job can be taken; None where nothing is in the way."""
        try:
            async with asyncio.timeout(_CHECK_SECONDS), self._database.session() as session:
                await session.execute(text("SELECT 1"))
        except DATABASE_ERRORS as error:
            return f"Postgres does not answer: {str(error) or _SILENCE}"
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await asyncio.to_thread(self._broker.client.ping)
        except (redis.RedisError, OSError) as error:
            return f"the broker does not answer: {str(error) or _SILENCE}"
        if self._broker.refusal is not None:
            return f"the broker refuses: {self._broker.refusal}"
        return None if self.stage == READY else self.stage
