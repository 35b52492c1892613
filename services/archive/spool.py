"""Rows of a listing, kept in a file until all have come, and then copied into a table.

No transaction waits for an archive, and memory does not grow with the listing. The file has the
text format of COPY, which Postgres takes as it is.
"""

from collections.abc import Iterable, Sequence
from typing import IO, Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["add_rows", "copy_rows"]

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def add_rows(spool: IO[bytes], rows: Iterable[Sequence[object]]) -> None:
    """Append a page of rows (texts, numbers, times with zone, None) to the file."""
    lines = ["\t".join(map(_text, row)) for row in rows]
    spool.write("".join(f"{line}\n" for line in lines).encode())


async def copy_rows(
    session: AsyncSession, spool: IO[bytes], table: str, columns: Sequence[str]
) -> None:
    """Copy all rows of the file into a table by COPY."""
    raw = await (await session.connection()).get_raw_connection()
    driver: Any = raw.driver_connection
    spool.seek(0)
    await driver.copy_to_table(table, source=spool, columns=columns)


def _text(value: object) -> str:
    """Return a value as COPY has it."""
    if value is None:
        return "\\N"
    text = str(value)
    return text if text.isprintable() and "\\" not in text else text.translate(_ESCAPES)
