"""Reachability of the configured servers, checked before anything else starts."""

import asyncio
import os

import redis
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from shared.database.engine import Database
from shared.errors import PermanentError
from shared.masking import mask_passwords
from shared.settings import Settings
from shared.worker.broker import open_redis

__all__ = ["require_named_servers", "require_postgres"]

_PATIENCE = 5.0
"""Seconds for Redis to answer."""


def require_named_servers() -> None:
    """Ask Postgres and the broker that the environment names, if it does.

    Raises
    ------
    PermanentError
        If one does not answer; the message has no password.
    """
    settings = Settings()
    for name, url, require in (
        ("COSMO_DATABASE_URL", settings.database_url, _run_require_postgres),
        ("COSMO_DATABASE_DIRECT_URL", settings.database_direct_url, _run_require_postgres),
        ("COSMO_REDIS_URL", settings.redis_url, _require_redis),
    ):
        if name in os.environ and url is not None:
            require(url, name, f"start it, or unset {name} to have one started here")


def _run_require_postgres(url: str, where: str, advice: str) -> None:
    asyncio.run(require_postgres(url, where, advice))


async def require_postgres(url: str, where: str, advice: str) -> None:
    """Ask Postgres something.

    Parameters
    ----------
    url
        SQLAlchemy URL.
    where
        What named it, for the message.
    advice
        What to do about it, for the message.

    Raises
    ------
    PermanentError
        If it does not answer; the message has no password.
    """
    try:
        database = Database(url)
    except PermanentError as error:
        raise PermanentError(f"{where}: {error}") from error
    try:
        async with database.direct() as connection:  # which any pooler takes
            await connection.execute(select(1))
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()
        raise PermanentError(
            f"no Postgres answers at {where}: {advice} ({mask_passwords(url)}: "
            f"{reason[0] if reason else type(error).__name__})"
        ) from error
    finally:
        await database.dispose()


def _require_redis(url: str, where: str, advice: str) -> None:
    try:
        client = open_redis(
            url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=None
        )
    except PermanentError as error:
        raise PermanentError(f"{where}: {error}") from error
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        options = client.connection_pool.connection_kwargs
        shown = options.get("path") or f"{options.get('host')}:{options.get('port')}"
        raise PermanentError(
            f"no broker answers at {where}: {advice} ({shown}: {error})"
        ) from error
    finally:
        client.close()
