"""Signs of life of the worker processes, in Postgres.

Which are at work, which pause, which are away.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.alerts import OPERATIONS, open_alert, resolve_alerts
from shared.database.engine import DATABASE_ERRORS, Database
from shared.database.models.monitoring import Alert, AlertState, Severity
from shared.database.models.operations import Worker
from shared.logs import get_logger

__all__ = [
    "AT_WORK",
    "STATES",
    "WorkerState",
    "keep_signing",
    "read_workers",
    "sign_off",
    "write_worker_alerts",
]

_SIGN_SECONDS = 5.0
_AWAY_SECONDS = 20.0
"""Four signs."""
_ALERT_SECONDS = 90.0
"""Longer than a restart takes, and than Postgres may be away without any worker signing."""
_FORGET = timedelta(minutes=10)
_KEY = "worker "
AT_WORK, _PAUSED, _FAULTY, _AWAY = "at work", "paused", "faulty", "away"
STATES = (AT_WORK, _PAUSED, _FAULTY, _AWAY)

Trouble = Callable[[], Coroutine[Any, Any, Mapping[str, str | None]]]


@dataclass(frozen=True)
class WorkerState:
    """A worker process as it last signed.

    Attributes
    ----------
    name, service
        Its name, and that of its service.
    silent_seconds
        How long ago that was.
    paused
        Trouble of its environment, for which it takes no jobs.
    fault
        Why it cannot take jobs, such as a broker that is away.
    queues
        Names of the queues that it works on.
    """

    name: str
    service: str
    silent_seconds: float
    paused: str | None
    fault: str | None
    queues: Sequence[str] = ()

    @property
    def away(self) -> bool:
        """Whether it has not signed for too long."""
        return self.silent_seconds > _AWAY_SECONDS

    @property
    def state(self) -> str:
        """State in a word."""
        return (
            _AWAY if self.away else _PAUSED if self.paused else _FAULTY if self.fault else AT_WORK
        )

    def describe(self) -> str:
        """Say what is wrong with it."""
        return (
            f"{self.name}: "
            f"{f'no sign of life for {self.silent_seconds:.0f} s' if self.away else self.reason}"
        )

    @property
    def reason(self) -> str | None:
        """What it says of itself."""
        return f"paused: {self.paused}" if self.paused else self.fault


async def keep_signing(
    database: Database,
    name: str,
    service: str,
    trouble: Trouble,
    signed: Callable[[], None] = lambda: None,
    queues: Sequence[str] = (),
) -> None:
    """Sign again and again, until cancelled.

    Parameters
    ----------
    database
        Database.
    name, service
        Name of this process among all, and that of its service.
    trouble
        Tells what it is to say: ``paused`` and ``fault``.
    signed
        Called after each sign.
    queues
        Names of the queues that it works on.
    """
    while True:
        try:
            said = {"service": service, "queues": list(queues), **await trouble()}
            values = {"seen_at": func.now(), **said}
            statement = insert(Worker).values(name=name, **values)
            async with database.transaction() as session:
                await session.execute(
                    statement.on_conflict_do_update(index_elements=["name"], set_=values)
                )
            signed()
        except DATABASE_ERRORS as error:
            get_logger().warning("not signed", error=str(error))
        await asyncio.sleep(_SIGN_SECONDS)


async def sign_off(database: Database, name: str) -> None:
    """Say that a process stops on purpose."""
    try:
        async with asyncio.timeout(_SIGN_SECONDS), database.transaction() as session:
            await session.execute(delete(Worker).where(Worker.name == name))
    except DATABASE_ERRORS as error:
        get_logger().warning("not signed off", error=str(error))


async def read_workers(session: AsyncSession) -> list[WorkerState]:
    """Return every worker that has signed and not signed off, by name."""
    # Either way, since the database's clock may have been put back.
    silent = func.abs(func.extract("epoch", func.now() - Worker.seen_at))
    columns = (Worker.name, Worker.service, silent, Worker.paused, Worker.fault, Worker.queues)
    return [
        WorkerState(name, service, float(seconds), paused, fault, queues)
        for name, service, seconds, paused, fault, queues in await session.execute(
            select(*columns).order_by(Worker.name)
        )
    ]


async def write_worker_alerts(session: AsyncSession) -> None:
    """Open an alert for each worker that pauses or is away, and resolve those that are over.

    A worker that is away for long is forgotten where others of its service are at work: a pool got
    smaller.
    """
    workers = await read_workers(session)
    at_work = {worker.service for worker in workers if not worker.away}
    gone = {
        w.name
        for w in workers
        if w.silent_seconds > _FORGET.total_seconds() and w.service in at_work
    }
    await session.execute(delete(Worker).where(Worker.name.in_(gone)))
    troubled = {
        f"{_KEY}{worker.name}": worker
        for worker in workers
        if worker.name not in gone
        and (worker.reason if not worker.away else worker.silent_seconds > _ALERT_SECONDS)
    }
    unresolved = select(Alert.key, Alert.message).where(
        Alert.monitor == OPERATIONS, Alert.state != AlertState.RESOLVED, Alert.key.startswith(_KEY)
    )
    known = {row.key: row.message for row in await session.execute(unresolved)}
    for key, worker in sorted(troubled.items()):
        rule = f"a worker pauses, or gives no sign of life for {_ALERT_SECONDS:.0f} s"
        # Seconds of silence would make it another message each time.
        message = f"{worker.name} gives no sign of life" if worker.away else worker.describe()
        if known.get(key) != message:
            await open_alert(session, key, Severity.ALERT, message, rule=rule)
    for key in sorted(set(known) - set(troubled)):
        await resolve_alerts(session, key)
