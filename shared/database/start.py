"""Checks of a process before it works on a database."""

import asyncio

from sqlalchemy.exc import DBAPIError

from shared.database.engine import Database, is_outage
from shared.database.leadership import require_sessions
from shared.database.schema import require_current
from shared.logs import get_logger

__all__ = ["require_usable", "wait_until_usable"]

_RETRY_SECONDS = 2.0


async def require_usable(database: Database) -> None:
    """Refuse an outdated schema, and a pooler where sessions are needed.

    Raises
    ------
    PermanentError
        If it is one of them.
    """
    await require_sessions(database)
    await require_current(database)


async def wait_until_usable(database: Database) -> None:
    """Wait for a Postgres that is down, then refuse what `require_usable` refuses.

    Raises
    ------
    PermanentError
        If it does.
    """
    while True:
        try:
            await require_usable(database)
        except (DBAPIError, OSError) as error:
            if not is_outage(error):
                raise
            get_logger().warning(
                "waiting for Postgres", error=str(error), next_try_seconds=_RETRY_SECONDS
            )
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return
