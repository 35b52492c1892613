"""Calls to the store, the database and the broker, of which the n-th fails with the error of its
own library.
"""

import errno
from collections.abc import Callable
from typing import Any

import pytest
import redis
from asyncpg import Connection
from fsspec.implementations.local import LocalFileSystem
from sqlalchemy import event

from shared.database.engine import Database
from shared.store import Store
from shared.worker.broker import Messenger

__all__ = ["Calls", "count_broker", "count_database", "count_store"]


class Calls:
    """Counter of calls, one of which fails.

    Parameters
    ----------
    late
        Whether that is done first, so that only its answer is lost.

    Attributes
    ----------
    number
        How many there were.
    fails
        Number of the call that fails, from 1 on; 0 for none.
    """

    def __init__(self, *, late: bool) -> None:
        self.number, self.fails, self.late = 0, 0, late

    def begin(self, fails: int) -> None:
        """Count from the beginning, and let a call fail."""
        self.number, self.fails = 0, fails

    def due(self) -> bool:
        """Count a call; whether it is the one that fails."""
        self.number += 1
        return self.number == self.fails

    def wrap(self, call: Callable[..., Any], error: Callable[[], Exception]) -> Callable[..., Any]:
        """Make a function that counts."""

        def counted(*args: Any, **options: Any) -> Any:
            fails = self.due()
            if fails and not self.late:
                raise error()
            result = call(*args, **options)
            if fails:
                raise error()
            return result

        return counted


def count_store(store: Store, calls: Calls) -> None:
    """Count every call to the file system of a store."""
    store._fs = system = LocalFileSystem(skip_instance_cache=True)
    for name in ("exists", "size", "makedirs", "put_file", "mv", "open", "ls", "rm"):
        setattr(
            system,
            name,
            calls.wrap(getattr(system, name), lambda: OSError(errno.EIO, "Input/output error")),
        )


def count_broker(messenger: Messenger, calls: Calls, patch: pytest.MonkeyPatch) -> None:
    """Count every command to a broker."""
    client = messenger._broker.client
    counted = calls.wrap(
        client.execute_command, lambda: redis.ConnectionError("Connection reset by peer")
    )
    patch.setattr(client, "execute_command", counted)


def count_database(database: Database, calls: Calls, patch: pytest.MonkeyPatch) -> None:
    """Count every statement, COPY and commit.

    Where one fails, its connection to Postgres is cut.
    """
    engine = database.engine.sync_engine
    copy, commit = Connection.copy_records_to_table, engine.dialect.do_commit

    def execute(connection: Any, *_: Any) -> None:
        if not calls.late and calls.due():
            connection.connection.driver_connection.terminate()

    async def counted_copy(connection: Any, *args: Any, **options: Any) -> Any:
        if not calls.late and calls.due():
            connection.terminate()
        return await copy(connection, *args, **options)

    def counted_commit(connection: Any) -> None:
        fails = calls.due()
        if fails and calls.late:
            commit(connection)
        if fails:
            connection.driver_connection.terminate()
            connection.cursor().execute("SELECT 1")
        commit(connection)

    event.listen(engine, "before_cursor_execute", execute)
    patch.setattr(Connection, "copy_records_to_table", counted_copy)
    patch.setattr(engine.dialect, "do_commit", counted_commit)
