"""Tables that monitors make: a run leaves as they are the rows that it finds again."""

import io
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pyarrow as pa
from pyarrow import csv
from sqlalchemy import Integer, text
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.framework.declaration import Columns
from shared.database.models.science import DERIVED_TABLES

__all__ = ["write_tables"]

_STAGE = (
    "CREATE TEMPORARY TABLE new_{table} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH "
    "NO DATA"
)
_MERGE = """
    INSERT INTO {table} ({columns})
    SELECT {of_new} FROM (SELECT DISTINCT ON (id) * FROM new_{table} ORDER BY id, {columns}) AS new
    LEFT JOIN {table} AS old ON old.id = new.id
    WHERE old.id IS NULL OR ({of_old}) IS DISTINCT FROM ({of_new})
    ON CONFLICT (id) DO UPDATE SET {assignments}
"""
_PRUNE = """
    DELETE FROM {table} AS old WHERE NOT EXISTS (SELECT FROM new_{table} AS new WHERE
      new.id = old.id)
"""


async def write_tables(session: AsyncSession, tables: Mapping[str, Columns]) -> dict[str, int]:
    """Make these the rows of derived tables.

    Parameters
    ----------
    session
        Session of the transaction that writes the run.
    tables
        All columns of each table, of shape (n,), by the table's name; NaN becomes null. Of rows
        with one key, the first by their values is written.

    Returns
    -------
    dict of str to int
        How many rows are new, changed or gone, of the tables where any are.

    Raises
    ------
    KeyError
        If monitors make no table of that name, or a column of it is missing.
    """
    counts = {name: await _write(session, name, columns) for name, columns in tables.items()}
    return {name: count for name, count in counts.items() if count}


async def _write(session: AsyncSession, name: str, columns: Columns) -> int:
    kinds = {column.name: column.type for column in DERIVED_TABLES[name].__table__.columns}
    staged = pa.table(
        {
            column: _array(columns[column], isinstance(kind, Integer))
            for column, kind in kinds.items()
        }
    )
    terms = {
        "table": name,
        "columns": ", ".join(kinds),
        "of_old": ", ".join(f"old.{column}" for column in kinds),
        "of_new": ", ".join(f"new.{column}" for column in kinds),
        "assignments": ", ".join(
            f"{column} = excluded.{column}" for column in kinds if column != "id"
        ),
    }
    await session.execute(text(_STAGE.format(**terms)))
    buffer = io.BytesIO()
    csv.write_csv(staged, buffer, csv.WriteOptions(include_header=False))
    buffer.seek(0)
    connection = await (await session.connection()).get_raw_connection()
    driver: Any = connection.driver_connection
    await driver.copy_to_table(f"new_{name}", source=buffer, columns=list(kinds), format="csv")
    await session.execute(text(f"ANALYZE new_{name}"))
    changed = 0
    for statement in (_MERGE, _PRUNE):
        result = cast("CursorResult[Any]", await session.execute(text(statement.format(**terms))))
        changed += result.rowcount
    return changed


def _array(values: np.ndarray, whole: bool) -> pa.Array:
    if whole and values.dtype.kind == "f":
        known = np.isfinite(values)
        return pa.array(np.where(known, values, 0.0).astype(np.int64), mask=~known)
    return pa.array(values, from_pandas=True)
