"""Checks of a process before it works on a database."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from shared.database.engine import DATABASE_ERRORS, Database, is_outage, is_rejection
from shared.database.leadership import require_sessions
from shared.database.schema import require_current
from shared.errors import PermanentError
from shared.logs import get_logger
from shared.masking import mask_passwords

__all__ = ["refusing", "require_usable", "wait_until_usable"]

_RETRY_SECONDS = 2.0


@contextmanager
def refusing(setting: str, url: str) -> Iterator[None]:
    """Refuse a URL of which Postgres does not take the user, the password or the database.

    Parameters
    ----------
    setting
        What names it.
    url
        The URL.

    Raises
    ------
    PermanentError
        If it does not.
    """
    try:
        yield
    except DATABASE_ERRORS as error:
        if not is_rejection(error):
            raise
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise PermanentError(
            f"Postgres refuses {setting} ({mask_passwords(url)}): {reason}; correct the URL, or "
            "create what it names"
        ) from error


async def require_usable(database: Database) -> None:
    """Refuse a database that refuses us, an outdated schema, and a pooler where sessions are
    needed.

    Raises
    ------
    PermanentError
        If it is one of them.
    """
    named = "COSMO_DATABASE_URL" if database.direct_url is None else "COSMO_DATABASE_DIRECT_URL"
    with refusing(named, database.direct_url or database.url):
        await require_sessions(database)
    with refusing("COSMO_DATABASE_URL", database.url):
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
        except DATABASE_ERRORS as error:
            if not is_outage(error):
                raise
            get_logger().warning(
                "waiting for Postgres",
                url=mask_passwords(database.url),
                error=str(error) or type(error).__name__,
                next_try_seconds=_RETRY_SECONDS,
            )
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return
