"""Rows of a table: pages of them, or a file with up to 100,000."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.tables.columns import Column, Values, masked
from services.monitor.tables.filters import (
    columns_of,
    condition,
    rows_after,
    sortable_column,
    sql_columns,
)
from services.monitor.tables.writers import Export, TableFile
from shared.database.base import Base

__all__ = ["Key", "TablePage", "TableRequest", "read_page", "select_rows", "write_file"]

_BATCH, _DOCUMENT_BATCH = 5000, 200
"""Rows that are in memory at once.

Fewer where they hold documents, of which each may have 100 kB.
"""

Key = tuple[Any, int]
"""Value that rows are sorted by, and number, of the last row of a page."""


@dataclass(frozen=True)
class TableRequest:
    """How rows are asked for.

    Attributes
    ----------
    format
        ``json``, ``csv``, ``votable``, ``fits`` or ``parquet``.
    sort
        Column; a minus sign before it reverses the order.
    limit
        Most rows.
    after
        Key that the page starts after; None for the first one.
    filters
        Conditions ``column__operator`` with their values.
    """

    format: str
    sort: str
    limit: int
    after: Sequence[Any] | None = None
    filters: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class TablePage:
    """A page of rows.

    Attributes
    ----------
    columns
        Columns of the table.
    rows
        The rows, values by column.
    last
        Key of the last one where there are more; else None.
    """

    columns: list[Column]
    rows: list[dict[str, Any]]
    last: Key | None


def select_rows(model: type[Base], wanted: TableRequest) -> Select[Any]:
    """Select all columns of a table.

    A format that has only numbers and texts gets documents as JSON text.
    """
    documents = wanted.format == "json"
    return select(
        *(
            column
            if documents or not isinstance(column.type, JSONB)
            else sql_cast(column, Text).label(column.name)
            for column in sql_columns(model)
        )
    ).select_from(model.__table__)


async def read_page(
    session: AsyncSession, model: type[Base], query: Select[Any], wanted: TableRequest
) -> TablePage:
    """Read a page of rows.

    Parameters
    ----------
    session
        Session to read in.
    model
        Table; it has an integer key ``id``.
    query
        Its columns (`select_rows`), with whatever conditions always hold.
    wanted
        How the rows are wanted.

    Raises
    ------
    TableError
        For an unknown column, operator or value.
    """
    query, key = _ordered(model, query, wanted)
    found = (await session.execute(query.limit(wanted.limit + 1))).mappings().all()
    rows = [dict(row) for row in found[: wanted.limit]]
    last = (rows[-1][key], rows[-1]["id"]) if len(found) > wanted.limit else None
    return TablePage(columns_of(model), rows, last)


async def write_file(
    session: AsyncSession, model: type[Base], query: Select[Any], wanted: TableRequest
) -> tuple[TableFile, Key | None]:
    """Write rows into a file, in batches; it ends earlier where its texts would be very long.

    Parameters and errors are as of `read_page`.

    Returns
    -------
    file
        The file.
    last
        Key of its last row where there are more; else None.
    """
    query, key = _ordered(model, query, wanted)
    columns = columns_of(model)
    export = Export(columns, wanted.format)
    documents = any(isinstance(column.type, JSONB) for column in sql_columns(model))
    batches = {"yield_per": _DOCUMENT_BATCH if documents else _BATCH}
    more, last = False, None
    await asyncio.to_thread(export.add, _values(columns, []))
    result = await session.stream(query.limit(wanted.limit + 1), execution_options=batches)
    async for batch in result.partitions():
        rows = batch[: 0 if export.full else wanted.limit - export.rows]
        if rows:
            await asyncio.to_thread(export.add, _values(columns, rows))
            last = rows[-1]
        if len(rows) < len(batch):
            more = True
            break
    await session.close()
    file = await asyncio.to_thread(export.finish, model.__tablename__)
    return file, (getattr(last, key), last.id) if more and last is not None else None


def _ordered(
    model: type[Base], query: Select[Any], wanted: TableRequest
) -> tuple[Select[Any], str]:
    """Add filters, order and start of the page to a query; return the sorting column's name too."""
    for name, text in wanted.filters:
        query = query.where(condition(model, name, text))
    column = sortable_column(model, wanted.sort.removeprefix("-"))
    identity = sortable_column(model, "id")
    descending = wanted.sort.startswith("-")
    if wanted.after is not None:
        query = query.where(rows_after(column, identity, descending, wanted.after))
    order: ColumnElement[Any] = column.desc() if descending else column.asc()
    orders = [order] if column is identity else [order.nulls_last(), identity]
    return query.order_by(*orders), column.name


def _values(columns: Sequence[Column], rows: Sequence[Any]) -> dict[str, Values]:
    """Return the values of rows by column."""
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    return {
        column.name: masked(column.kind, values)
        for column, values in zip(columns, cells, strict=True)
    }
