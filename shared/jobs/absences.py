"""Sources that are away: their jobs wait in Postgres, and the worker goes on with all others."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Final

from sqlalchemy import func, update

from shared.database.engine import DATABASE_ERRORS, Database
from shared.database.models.operations import Job, JobState
from shared.errors import AbsentSourceError
from shared.jobs.claims import ClaimedJob
from shared.jobs.pause import Pause
from shared.settings import JobSettings

__all__ = ["AbsentSources", "unsend"]

_REST_SECONDS: Final = 0.05
"""Pause of a thread that has put off a job: thousands of them may wait, and come again until their
source is back.
"""


class AbsentSources:
    """Pauses of the jobs of each source that is away, as the payload of a job names it.

    Parameters
    ----------
    database
        Database with the jobs.
    settings
        Length of the first pause.
    """

    def __init__(self, database: Database, settings: JobSettings) -> None:
        self._database = database
        self._settings = settings
        self._pauses: dict[str, Pause] = {}

    def begin(self, error: AbsentSourceError, reason: str) -> timedelta:
        """Pause the jobs of a source; returns for how long."""
        pause = self._pauses.setdefault(error.source, Pause(self._settings, error.source))
        return pause.begin(reason)

    def end(self, job: ClaimedJob) -> None:
        """Go on with the jobs of a source, since it answered one of them."""
        if (pause := self._pauses.pop(str(job.payload.get("source")), None)) is not None:
            pause.end()

    async def put_off(self, job_id: int) -> bool:
        """Let a job wait whose source is away; returns whether it is.

        It is not claimed, and no attempt is written.
        """
        away = [(source, pause.left) for source, pause in self._pauses.items() if pause.left > 0]
        for source, seconds in away:
            mine = (
                Job.id == job_id,
                Job.state == JobState.QUEUED,
                Job.payload["source"].astext == source,
            )
            later = {"sent_at": None, "not_before": func.now() + timedelta(seconds=seconds)}
            async with self._database.transaction() as session:
                put = await session.scalar(update(Job).where(*mine).values(later).returning(Job.id))
            if put is not None:
                await asyncio.sleep(_REST_SECONDS)
                return True
        return False


async def unsend(database: Database, job_id: int) -> None:
    """Let the dispatcher send a message again that this process will not act on."""
    with contextlib.suppress(*DATABASE_ERRORS):
        async with database.transaction() as session:
            await session.execute(update(Job).where(Job.id == job_id).values(sent_at=None))
