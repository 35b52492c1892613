"""Rows that Postgres reads, which say what a query costs whatever the machine does beside it."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database

__all__ = ["rows_read", "rows_read_so_far"]

_OF_TRANSACTION = text(
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) "
    "FROM pg_stat_xact_user_tables"
)
_OF_TABLE = text(
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = :table"
)


async def rows_read(session: AsyncSession) -> int:
    """Count the rows of all tables that the connection of a session has read lately."""
    return int((await session.execute(_OF_TRANSACTION)).scalar_one())


async def rows_read_so_far(database: Database, table: str) -> int:
    """Count the rows of a table that all transactions have read, as far as they were on the
    connection that a database has had all the time.
    """
    async with database.transaction() as session:
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
    async with database.session() as session:
        return int((await session.execute(_OF_TABLE, {"table": table})).scalar_one())
