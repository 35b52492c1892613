"""Connections and transactions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asyncpg import InterfaceError, PostgresError
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from shared.finite_json import finite_json

__all__ = ["DATABASE_ERRORS", "Database", "is_outage", "is_refusal", "is_victim"]

_OF_DRIVER = (PostgresError, InterfaceError)
"""What COPY raises, which SQLAlchemy does not wrap."""

DATABASE_ERRORS = (DBAPIError, PoolTimeoutError, *_OF_DRIVER, OSError)
"""What a statement raises: for itself, without a free connection, and without a server."""

_OUTAGE_CLASSES = ("08", "53", "57", "58")
"""SQLSTATE classes: connection exception, insufficient resources, operator intervention, system
error (PostgreSQL, appendix A)."""
_STANDSTILL_SECONDS = 5.0
"""How much longer than a statement may take its end is waited for."""
_CLOSE_SECONDS = 5.0
"""How long the connection of a cancelled statement may take to close before it is cut off."""
_READ_ONLY, _CANCELED = "25006", "57014"
_VICTIMS = ("40001", "40P01")
"""Serialization failure and deadlock: the same transaction succeeds when it is tried again."""
_REFUSAL_CLASSES = ("0A", "21", "22", "23", "42")
"""SQLSTATE classes: feature not supported, cardinality violation (a double key in one statement),
data exception, integrity constraint violation, syntax error or access rule violation."""


def is_victim(error: BaseException) -> bool:
    """Return whether Postgres ended a transaction for the sake of another one."""
    return _state(error) in _VICTIMS


def is_refusal(error: BaseException) -> bool:
    """Return whether Postgres refuses a statement that is as wrong the next time."""
    return _state(error)[:2] in _REFUSAL_CLASSES


def is_outage(error: BaseException) -> bool:
    """Return whether Postgres is away, on its way, or out of connections, so that the same
    statement may succeed later.
    """
    if not isinstance(error, (DBAPIError, *_OF_DRIVER)):
        return isinstance(error, (OSError, PoolTimeoutError))
    state = _state(error)
    if state == _CANCELED or is_refusal(error):  # a constraint's name may be any
        return False
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return (
        lost
        or state[:2] in _OUTAGE_CLASSES
        or state == _READ_ONLY
        or "connection" in str(_original(error)).lower()
    )


def _original(error: BaseException) -> BaseException | None:
    """Return the error of the driver, which others wrap."""
    return error.orig if isinstance(error, DBAPIError) else error


def _state(error: BaseException) -> str:
    """Return the SQLSTATE of an error; empty where it has none."""
    return str(getattr(_original(error), "sqlstate", None) or "")


@asynccontextmanager
async def _closed_by_cancellation(session: AsyncSession) -> AsyncIterator[None]:
    """Close the connection of a block that is cancelled, instead of rolling back on it.

    asyncpg lets the next statement of a connection wait until Postgres acknowledges that the one
    before was cancelled, however long that takes; where the acknowledgement is lost, for ever.
    """
    try:
        yield
    except asyncio.CancelledError:
        # The session is still rolled back, so that what was added can be added again elsewhere.
        with contextlib.suppress(TimeoutError, InvalidRequestError, *DATABASE_ERRORS):
            async with asyncio.timeout(_CLOSE_SECONDS):
                if session.in_transaction():
                    await (await session.connection()).invalidate()
        raise


class Database:
    """The Postgres database.

    Parameters
    ----------
    url
        SQLAlchemy URL with the asyncpg driver.
    statement_timeout
        Longest statement in seconds; 0 sets no limit.
    pool_size
        Connections kept open.
    """

    def __init__(self, url: str, *, statement_timeout: float = 0.0, pool_size: int = 5) -> None:
        self.url = url
        self.engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            json_serializer=finite_json,
            connect_args={
                "timeout": 10,
                # A Postgres that stands still ends no statement itself.
                "command_timeout": statement_timeout + _STANDSTILL_SECONDS
                if statement_timeout
                else None,
                "server_settings": {
                    "statement_timeout": str(int(statement_timeout * 1000)),
                    "jit": "off",
                },
            },
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Provide the session without a transaction of its own; rolled back unless committed."""
        async with self._sessions() as session, _closed_by_cancellation(session):
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Provide the session inside one transaction, committed at the end of the block."""
        async with self._sessions() as session, session.begin(), _closed_by_cancellation(session):
            yield session

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
