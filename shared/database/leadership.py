"""One process at a time does what must not be done twice at once.

The one that holds an advisory lock, on a connection of its own.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.engine import Database
from shared.database.locks import AdvisoryLock
from shared.errors import PermanentError
from shared.logs import get_logger
from shared.metrics import LEADER

__all__ = ["keep_leading", "leads", "require_sessions"]

_led: set[AdvisoryLock] = set()
"""What this process leads."""

_BACKEND = text("SELECT pg_backend_pid()")
_LEAD = text("SELECT pg_try_advisory_lock(:key)")
_IS_FREE = text("SELECT pg_try_advisory_xact_lock(:key)")
_CHECK_SECONDS = 1.0
"""How long a lead counts as held since it was last asked for, where turns follow one another."""
_TRIALS = 10
"""Looks for another session: one may miss it while other tasks or processes use the pooler."""


async def keep_leading(
    database: Database,
    lock: AdvisoryLock,
    pause: float | Callable[[], float],
    lead: Callable[[AsyncIterator[None]], Awaitable[None]],
    *,
    channel: str | None = None,
) -> None:
    """Lead whenever nobody else does, until cancelled.

    A failure ends one leadership and not the next.

    Parameters
    ----------
    database
        Database.
    lock
        What the leader holds; it is lost with the connection.
    pause
        Seconds between two turns, and between two attempts to lead; a function where it depends on
        what there is to do.
    lead
        Does its work in each turn of the iterator, which ends when the lead cannot be had.
    channel
        Channel of Postgres, a notification of which begins the next turn of the leader at once.
    """
    rest = pause if callable(pause) else lambda: pause
    _note_leading(lock, leads=False)
    while True:
        try:
            if await _is_free(database, lock):
                async with database.direct() as connection:
                    await lead(_turns(connection, lock, rest, channel))
        except Exception as error:  # noqa: BLE001 - whatever fails here, the next round must come
            get_logger().warning(f"{lock.name.lower()} interrupted", error=str(error))
        finally:
            _note_leading(lock, leads=False)
        await asyncio.sleep(rest())


def leads(lock: AdvisoryLock) -> bool:
    """Return whether this process leads, as far as it knows."""
    return lock in _led


def _note_leading(lock: AdvisoryLock, *, leads: bool) -> None:
    LEADER.labels(lock.name.lower()).set(leads)
    if leads:
        _led.add(lock)
    else:
        _led.discard(lock)


async def require_sessions(database: Database) -> None:
    """Refuse a pooler that gives each transaction of a connection another session of Postgres.

    Locks of a leader and `LISTEN` are a session's.

    Raises
    ------
    PermanentError
        If there is one.
    """
    async with database.direct() as connection:
        backend = (await connection.execute(_BACKEND)).scalar()
        await connection.commit()
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None  # noqa: S101 - an open connection has one
        if driver.get_server_pid() == backend:
            return  # a pooler makes numbers of its own up
        changed = False
        for _ in range(_TRIALS):
            async with database.direct() as other:
                await other.execute(_BACKEND)  # takes the session that was given back last
                changed = changed or (await connection.execute(_BACKEND)).scalar() != backend
            await connection.commit()  # after the other, whose successor then takes this one
    if changed:
        way = "COSMO_DATABASE_URL" if database.direct_url is None else "COSMO_DATABASE_DIRECT_URL"
        raise PermanentError(
            f"{way} leads through a pooler in transaction mode, through which no process can lead "
            "and no events arrive: set COSMO_DATABASE_DIRECT_URL to a URL that leads past it"
        )


async def _is_free(database: Database, lock: AdvisoryLock) -> bool:
    """Return whether nobody leads, without a connection for who does not lead."""
    async with database.autocommit() as session:
        return bool((await session.execute(_IS_FREE, {"key": lock})).scalar())


async def _turns(
    connection: AsyncConnection,
    lock: AdvisoryLock,
    rest: Callable[[], float],
    channel: str | None,
) -> AsyncIterator[None]:
    news = asyncio.Event()
    await connection.execution_options(isolation_level="AUTOCOMMIT")
    if channel is not None:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None  # noqa: S101 - an open connection has one
        driver.add_termination_listener(lambda _connection: news.set())
        await driver.add_listener(channel, lambda *_notification: news.set())
    checked = -math.inf
    while True:
        if time.monotonic() - checked > _CHECK_SECONDS:
            if not (await connection.execute(_LEAD, {"key": lock})).scalar():
                return
            checked = time.monotonic()
        _note_leading(lock, leads=True)
        news.clear()  # before the work, so that what comes meanwhile begins another turn
        yield
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), rest())
