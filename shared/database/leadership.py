"""One process at a time does what must not be done twice at once.

The one that holds an advisory lock.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.engine import Database
from shared.database.locks import AdvisoryLock
from shared.logs import get_logger

__all__ = ["keep_leading"]


async def keep_leading(
    database: Database,
    lock: AdvisoryLock,
    pause: float,
    lead: Callable[[AsyncIterator[None]], Awaitable[None]],
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
        Seconds between two turns, and between two attempts to lead.
    lead
        Does its work in each turn of the iterator, which ends when the lead cannot be had.
    """
    while True:
        try:
            async with database.engine.connect() as connection:
                try:
                    await lead(_turns(connection, lock, pause))
                except BaseException:
                    # The lock is the connection's, which the pool would keep.
                    await connection.invalidate()
                    raise
        except Exception as error:  # noqa: BLE001 - whatever fails here, the next round must come
            get_logger().warning(f"{lock.name.lower()} interrupted", error=str(error))
        await asyncio.sleep(pause)


async def _turns(
    connection: AsyncConnection, lock: AdvisoryLock, pause: float
) -> AsyncIterator[None]:
    while (
        await connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": lock})
    ).scalar():
        await connection.commit()
        yield
        await asyncio.sleep(pause)
