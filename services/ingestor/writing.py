"""Rows into Postgres, by COPY: for one file or for a hundred thousand."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingestor.extractors import Rows
from shared.database.models.science import ROWS_PER_FILE, ScienceRow, row_key
from shared.errors import PermanentError

__all__ = ["FileRows", "copy_rows", "write_rows"]

_KEYS = ("id", "file_id", "preferred")
"""Columns that follow from the file and not from what was read of it."""


@dataclass(frozen=True)
class FileRows:
    """What was read from one file.

    Attributes
    ----------
    file_id
        Key of the file.
    rows
        Rows by table.
    """

    file_id: int
    rows: Sequence[Rows]


async def write_rows(connection: AsyncConnection, files: Sequence[FileRows]) -> None:
    """Put the rows of files in place of those that were there; the same files twice change nothing.

    None of them is preferred: which are is told when all are there
    (`services.ingestor.visibility`).

    Parameters
    ----------
    connection
        Connection within a transaction.
    files
        What was read.

    Raises
    ------
    PermanentError
        If a file has more rows of a table than keys are kept for.
    """
    for model in _models(files):
        ids = [file.file_id for file in files if any(rows.model is model for rows in file.rows)]
        await connection.execute(_table(model).delete().where(model.file_id.in_(ids)))
    await copy_rows(connection, files)


async def copy_rows(
    connection: AsyncConnection, files: Sequence[FileRows], schema: str | None = None
) -> int:
    """Add rows, of which none is there yet.

    Parameters
    ----------
    connection
        Connection within a transaction.
    files
        What was read.
    schema
        Schema of the tables, where it is not the one that readers see.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    PermanentError
        If a file has more rows of a table than keys are kept for.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    written = 0
    for model in _models(files):
        values = [column.name for column in _table(model).columns if column.name not in _KEYS]
        keys = [name for name in _KEYS if name in _table(model).columns]
        done = await driver.copy_records_to_table(
            model.__tablename__,
            records=_records(files, model, len(keys), values),
            columns=[*keys, *values],
            schema_name=schema or "public",
        )
        written += int(done.rpartition(" ")[2])
    return written


def _models(files: Iterable[FileRows]) -> list[type[ScienceRow]]:
    return sorted(
        {rows.model for file in files for rows in file.rows}, key=lambda model: model.__tablename__
    )


def _table(model: type[ScienceRow]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - for the type checker
    return table


def _records(
    files: Sequence[FileRows], model: type[ScienceRow], keys: int, values: Sequence[str]
) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a table as tuples, with as many of the keys as it has."""
    for file in files:
        ordinal = 0
        for rows in file.rows:
            if rows.model is not model:
                continue
            if ordinal + len(rows) > ROWS_PER_FILE:
                raise PermanentError(
                    f"file {file.file_id} has more than {ROWS_PER_FILE} rows of "
                    f"{model.__tablename__}"
                )
            for record in rows.records(values):
                yield (*(row_key(file.file_id, ordinal), file.file_id, False)[:keys], *record)
                ordinal += 1
