"""Connections and transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from shared.finite_json import finite_json

__all__ = ["DATABASE_ERRORS", "Database", "is_outage", "is_victim"]

DATABASE_ERRORS = (DBAPIError, PoolTimeoutError, OSError)
"""What a statement raises: for itself, without a free connection, and without a server."""

_OUTAGE_CLASSES = ("08", "53", "57", "58")
"""SQLSTATE classes: connection exception, insufficient resources, operator intervention, system error (PostgreSQL,
appendix A)."""
_STANDSTILL_SECONDS = 5.0
"""How much longer than a statement may take its end is waited for."""
_READ_ONLY, _CANCELED = "25006", "57014"
_VICTIMS = ("40001", "40P01")
"""Serialization failure and deadlock: the same transaction succeeds when it is tried again."""


def is_victim(error: BaseException) -> bool:
    """Whether Postgres ended a transaction for the sake of another one."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _VICTIMS


def is_outage(error: BaseException) -> bool:
    """Whether Postgres is away, on its way, or out of connections, so that the same statement may succeed later."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, (OSError, PoolTimeoutError))
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state == _CANCELED or state.startswith("23"):  # a constraint's name may be any
        return False
    known = state[:2] in _OUTAGE_CLASSES or state == _READ_ONLY
    return error.connection_invalidated or known or "connection" in str(error.orig).lower()


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
                "command_timeout": statement_timeout + _STANDSTILL_SECONDS if statement_timeout else None,
                "server_settings": {
                    "statement_timeout": str(int(statement_timeout * 1000)),
                    "jit": "off",
                },
            },
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Session without a transaction of its own; rolled back unless committed."""
        async with self._sessions() as session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Session inside one transaction, committed at the end of the block."""
        async with self._sessions() as session, session.begin():
            yield session

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
