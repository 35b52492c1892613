"""Connections and transactions."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from asyncpg import InterfaceError, PostgresError
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    create_async_engine,
)
from sqlalchemy.pool import NullPool, QueuePool

from shared.database.addresses import connection_arguments
from shared.database.after_commit import AfterCommit
from shared.finite_json import finite_json
from shared.keepalive import IDLE_SECONDS, LOST_SECONDS, PROBES, keep_alive
from shared.metrics import DATABASE_CONNECTIONS

__all__ = ["DATABASE_ERRORS", "Database", "is_outage", "is_refusal", "is_rejection", "is_victim"]

_OF_DRIVER = (PostgresError, InterfaceError)
"""What COPY raises, which SQLAlchemy does not wrap."""

DATABASE_ERRORS = (DBAPIError, PoolTimeoutError, *_OF_DRIVER, OSError)
"""What a statement raises: for itself, without a free connection, and without a server."""

_OUTAGE_CLASSES = ("08", "53", "57", "58")
"""SQLSTATE classes: connection exception, insufficient resources, operator intervention, system
error (PostgreSQL, appendix A)."""
_STANDSTILL_SECONDS = 5.0
"""How much longer than a statement may take its end is waited for."""
_CONNECT_SECONDS = 10.0
_FRESH_SECONDS = 1.0
"""How long a connection that was used is not asked whether it still answers: that takes longer than
a short transaction."""
_USED = "cosmo.used"
"""Key of the time at which a connection was given back."""
_CLOSE_SECONDS = 5.0
"""How long the connection of a cancelled statement may take to close before it is cut off."""
_KEPT_ALIVE = {
    "tcp_keepalives_idle": str(IDLE_SECONDS),
    "tcp_keepalives_interval": str(IDLE_SECONDS),
    "tcp_keepalives_count": str(PROBES),
    "tcp_user_timeout": str(LOST_SECONDS * 1000),
}
"""Lets Postgres end what a client that vanished had open: its transaction, its locks."""
_UNNAMED: dict[str, Any] = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": str,
}
"""Leaves no prepared statements in a session that a pooler gives to others."""
_READ_ONLY, _CANCELED = "25006", "57014"
_VICTIMS = ("40001", "40P01")
"""Serialization failure and deadlock: the same transaction succeeds when it is tried again."""
_REFUSAL_CLASSES = ("0A", "21", "22", "23", "42")
"""SQLSTATE classes: feature not supported, cardinality violation (a double key in one statement),
data exception, integrity constraint violation, syntax error or access rule violation."""


_REJECTION_CLASSES, _NO_PRIVILEGE = ("28", "3D"), "42501"
"""SQLSTATE classes: invalid authorization specification, invalid catalog name; and a right that is
missing."""


def is_victim(error: BaseException) -> bool:
    """Return whether Postgres ended a transaction for the sake of another one."""
    return _state(error) in _VICTIMS


def is_refusal(error: BaseException) -> bool:
    """Return whether Postgres refuses a statement that is as wrong the next time."""
    return _state(error)[:2] in _REFUSAL_CLASSES


def is_rejection(error: BaseException) -> bool:
    """Return whether Postgres does not let this user into this database."""
    state = _state(error)
    return state[:2] in _REJECTION_CLASSES or state == _NO_PRIVILEGE


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
async def _closed_by_cancellation(owner: AsyncSession | AsyncConnection) -> AsyncIterator[None]:
    """Close the connection of a block that is cancelled, instead of rolling back on it.

    asyncpg lets the next statement of a connection wait until Postgres acknowledges that the one
    before was cancelled, however long that takes; where the acknowledgement is lost, for ever.
    """
    try:
        yield
    except asyncio.CancelledError:
        # A session is still rolled back, so that what was added can be added again elsewhere.
        await _close(owner)
        raise


async def _close(owner: AsyncSession | AsyncConnection) -> None:
    """Close the connection of a session or an engine now, whatever it waits for."""
    with contextlib.suppress(TimeoutError, InvalidRequestError, *DATABASE_ERRORS):
        async with asyncio.timeout(_CLOSE_SECONDS):
            if isinstance(owner, AsyncConnection):
                await owner.invalidate()
            elif owner.in_transaction():
                await (await owner.connection()).invalidate()


def _make_engine(
    url: str, settings: Mapping[str, str], command_timeout: float | None, **pool: Any
) -> AsyncEngine:
    """Return an engine whose connections are probed by the system.

    Parameters
    ----------
    url
        URL of Postgres.
    settings
        Settings of Postgres for each connection. They are no parameters of its start, most of which
        poolers refuse.
    command_timeout
        Longest wait for a statement, seconds.
    """
    address, arguments = connection_arguments(url)
    connect_args = {**arguments, "timeout": _CONNECT_SECONDS, "command_timeout": command_timeout}
    engine = create_async_engine(
        address,
        json_serializer=finite_json,
        connect_args=connect_args | pool.pop("connect_args", {}),
        **pool,
    )
    statement = "; ".join(f"SET {name} = '{value}'" for name, value in settings.items())

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        keep_alive(connection.driver_connection._transport.get_extra_info("socket"))
        if statement:
            connection.run_async(lambda driver: driver.execute(statement))

    _ping_idle_connections(engine)
    return engine


def _ping_idle_connections(engine: AsyncEngine) -> None:
    """Let an engine ask a connection that was idle for a while whether it still answers.

    Where it does not, all that are idle are replaced.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def note_use(_connection: object, record: Any) -> None:
        record.info[_USED] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ping(connection: Any, record: Any, _proxy: object) -> None:
        used = record.info.get(_USED)
        if used is None or time.monotonic() - used < _FRESH_SECONDS:
            return
        try:
            connection.ping()
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


def _make_pooled_engine(url: str, settings: Mapping[str, str], **options: Any) -> AsyncEngine:
    """Return an engine whose every transaction may be in another session of a pooler."""
    engine = _make_engine(url, {}, connect_args=_UNNAMED, **options)
    values = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())

    @event.listens_for(engine.sync_engine, "begin")
    def prepare(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT {values}")

    return engine


class Database:
    """The Postgres database.

    Parameters
    ----------
    url
        URL.
    direct_url
        URL that leads to the same database and past a pooler. Where there is one, `url` may go
        through a pooler in transaction mode.
    statement_timeout
        Longest statement in seconds; 0 sets no limit.
    pool_size
        Connections kept open.
    max_overflow
        Further connections while those are in use.

    Raises
    ------
    PermanentError
        If a URL is wrong; the message has no password.
    """

    def __init__(
        self,
        url: str,
        *,
        direct_url: str | None = None,
        statement_timeout: float = 0.0,
        pool_size: int = 5,
        max_overflow: int = 5,
    ) -> None:
        self.url, self.direct_url = url, direct_url
        self._max_overflow = max_overflow
        settings = {"statement_timeout": str(int(statement_timeout * 1000)), "jit": "off"}
        pool: dict[str, Any] = {
            "pool_size": pool_size,
            "max_overflow": max_overflow,
            # A Postgres that stands still ends no statement itself.
            "command_timeout": statement_timeout + _STANDSTILL_SECONDS
            if statement_timeout
            else None,
        }
        if direct_url is None:
            self.engine = _make_engine(url, settings | _KEPT_ALIVE, **pool)
        else:
            self.engine = _make_pooled_engine(url, settings, **pool)
        self._direct = _make_engine(
            direct_url or url,
            _KEPT_ALIVE,
            _STANDSTILL_SECONDS,
            connect_args=_UNNAMED,
            poolclass=NullPool,
        )
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._after_commit = AfterCommit(self._autocommit)
        self._sessions = self._after_commit.sessions(self.engine)

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

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncSession]:
        """Provide a session of which every statement is a transaction: one round trip instead of
        three.
        """
        async with (
            self._sessions(bind=self._autocommit) as session,
            _closed_by_cancellation(session),
        ):
            yield session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Provide a connection without a session; rolled back unless committed."""
        async with self.engine.connect() as connection, _closed_by_cancellation(connection):
            yield connection

    @asynccontextmanager
    async def direct(self) -> AsyncIterator[AsyncConnection]:
        """Provide a connection of its own past a pooler, for what lasts as long as it does.

        Its statements are short. It is closed at the end of the block.
        """
        async with self._direct.connect() as connection:
            try:
                yield connection
            except BaseException:
                await _close(connection)
                raise

    def export_connections(self) -> None:
        """Export the connections of this database in the metrics of this process."""
        pool = self.engine.pool
        assert isinstance(pool, QueuePool)  # noqa: S101 - no other is made above
        most = pool.size() + self._max_overflow
        for state, number in (
            ("used", pool.checkedout),
            ("idle", pool.checkedin),
            ("most", lambda: most),
        ):
            DATABASE_CONNECTIONS.labels(state).set_function(number)

    async def dispose(self) -> None:
        """Close every connection."""
        await self._after_commit.finish()
        await self.engine.dispose()
