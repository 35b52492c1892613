"""Rows of a listing, kept in a file until all have come, and then copied into a table.

No transaction waits for an archive, and memory does not grow with the listing.
"""

import pickle
from collections.abc import Iterator, Sequence
from typing import IO, Any

from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["add_rows", "copy_rows"]


def add_rows(spool: IO[bytes], rows: Sequence[tuple[Any, ...]]) -> None:
    """Append a page of rows to the file."""
    pickle.dump(rows, spool, pickle.HIGHEST_PROTOCOL)


async def copy_rows(
    session: AsyncSession, spool: IO[bytes], table: str, columns: Sequence[str]
) -> None:
    """Copy all rows of the file into a table by COPY."""
    raw = await (await session.connection()).get_raw_connection()
    driver: Any = raw.driver_connection
    spool.seek(0)
    for rows in _pages(spool):
        await driver.copy_records_to_table(table, records=rows, columns=columns)


def _pages(spool: IO[bytes]) -> Iterator[list[tuple[Any, ...]]]:
    while True:
        try:
            yield pickle.load(spool)  # noqa: S301 - this process wrote it
        except EOFError:
            return
