"""Rows of a table over HTTP: any column can be filtered on and sorted by.

Pages as JSON, whole tables as files.
"""

import asyncio
import operator as operators
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Query, Request, Response
from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Select,
    Text,
    and_,
    or_,
    select,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.pages import decode_cursor, split
from services.monitor.tables.columns import Column, Values, choose_format, masked
from services.monitor.tables.writers import Export
from services.monitor.web.error_responses import ApiError
from services.monitor.web.pagination import link_next, page
from shared.database.base import Base

__all__ = ["ListingQuery", "TableRequest", "columns_of", "select_rows", "serve"]

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operators.eq,
    "ne": operators.ne,
    "lt": operators.lt,
    "lte": operators.le,
    "gt": operators.gt,
    "gte": operators.ge,
}
_DEFAULT_JSON, _MAX_JSON, _MAX_FILE = 100, 1000, 100_000
_BATCH, _DOCUMENT_BATCH = 5000, 200
"""Rows that are in memory at once.

Fewer where they hold documents, of which each may have 100 kB.
"""

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class TableRequest:
    """How rows are asked for: order, size, page and format.

    Attributes
    ----------
    parameters
        Names of its query parameters; all others are filters.
    takes_filters
        That there are others.
    """

    parameters = frozenset({"limit", "cursor", "sort", "format"})
    takes_filters = True

    def __init__(
        self,
        sort: Annotated[
            str, Query(description="Column; a minus sign before it reverses the order")
        ] = "id",
        limit: Annotated[
            int | None,
            Query(
                ge=1,
                le=_MAX_FILE,
                description="Rows; default 100 as JSON (at most 1000), else 100,000",
            ),
        ] = None,
        cursor: str | None = None,
        format: str | None = None,  # noqa: A002 - the name of the query parameter
        accept: Annotated[str, Header()] = "",
    ) -> None:
        self.chosen = choose_format(format, accept)
        self.sort = sort
        self.cursor = cursor
        self.limit = limit or (_DEFAULT_JSON if self.chosen == "json" else _MAX_FILE)
        if self.chosen == "json" and self.limit > _MAX_JSON:
            raise ApiError(
                400,
                "bad_value",
                f"a JSON page has at most {_MAX_JSON} rows; follow its Link header",
            )


ListingQuery = Annotated[TableRequest, Depends()]


def _kind(column: SqlColumn[Any]) -> type:
    if isinstance(column.type, Float):
        return float
    if isinstance(column.type, Boolean):
        return bool
    return int if isinstance(column.type, Integer) else str


def _sql_columns(model: type[Base]) -> list[SqlColumn[Any]]:
    """Return the columns that are shown.

    Not when a row was written, which its dataset's timeline tells, and no packed content.
    """
    columns = (cast("SqlColumn[Any]", column) for column in model.__table__.columns)
    return [column for column in columns if not isinstance(column.type, (DateTime, LargeBinary))]


def columns_of(model: type[Base]) -> list[Column]:
    """List the columns of a table that readers may query."""
    return [
        Column(
            column.name,
            _kind(column),
            column.info.get("unit"),
            column.info.get("meaning") or column.comment or "",
        )
        for column in _sql_columns(model)
    ]


def _column(model: type[Base], name: str) -> SqlColumn[Any]:
    columns = {column.name: column for column in _sql_columns(model)}
    if name not in columns:
        message = f"{model.__tablename__} has no column {name!r}; it has {', '.join(columns)}"
        raise ApiError(400, "unknown_column", message, list(columns))
    if isinstance(columns[name].type, JSONB):
        raise ApiError(
            400,
            "unknown_column",
            f"{name} is a JSON document, by which rows can neither be filtered nor sorted",
        )
    return columns[name]


def _convert(column: SqlColumn[Any], text: str) -> Any:
    kind = _kind(column)
    try:
        if kind is bool:
            return _TRUTH[text.lower()]
        return kind(text)
    except (ValueError, KeyError) as error:
        raise ApiError(
            400, "bad_value", f"{column.name}: {text!r} is not of type {kind.__name__}"
        ) from error


def _condition(model: type[Base], key: str, text: str) -> ColumnElement[bool]:
    name, _, operator = key.partition("__")
    column = _column(model, name)
    operator = operator or "eq"
    condition: ColumnElement[bool]
    if operator in _COMPARISONS:
        condition = _COMPARISONS[operator](column, _convert(column, text))
    elif operator == "in":
        condition = column.in_([_convert(column, part) for part in text.split(",")])
    elif operator == "like" and _kind(column) is str:
        condition = column.like(text)
    elif operator == "isnull" and text.lower() in _TRUTH:
        condition = column.is_(None) if _TRUTH[text.lower()] else column.is_not(None)
    else:
        known = [*_COMPARISONS, "in", "like", "isnull"]
        message = (
            f"{key}={text}: operators are {', '.join(known)}; like is for text, isnull "
            "takes true or false"
        )
        raise ApiError(400, "unknown_operator", message, known)
    return condition


def _after(
    column: SqlColumn[Any], key: SqlColumn[Any], descending: bool, after: list[Any]
) -> ColumnElement[bool]:
    """Return the rows behind a key in an order that puts nulls last."""
    value, identity = after
    tie = and_(column.is_(None) if value is None else column == value, key > identity)
    if value is None:
        return tie
    beyond: ColumnElement[bool] = column < value if descending else column > value
    # Of the key a plain bound, so that its index leads there however far it is.
    return beyond if column is key else or_(beyond, column.is_(None), tie)


def select_rows(model: type[Base], listing: TableRequest) -> Select[Any]:
    """Return the query for all columns.

    A format that knows only numbers and texts gets documents as JSON text.
    """
    documents = listing.chosen == "json"
    return select(
        *(
            column
            if documents or not isinstance(column.type, JSONB)
            else sql_cast(column, Text).label(column.name)
            for column in _sql_columns(model)
        )
    ).select_from(model.__table__)


async def serve(
    session: AsyncSession,
    model: type[Base],
    query: Select[Any],
    listing: TableRequest,
    request: Request,
    response: Response,
    reserved: Iterable[str] = (),
) -> Any:
    """Return the answer with rows of a table: a page as JSON, or up to 100,000 of them as a file.

    Parameters
    ----------
    session
        Session of the request.
    model
        Table; it has an integer key ``id``.
    query
        Its columns (`select_rows`), with whatever conditions always hold.
    listing
        How the rows are wanted.
    request, response
        The request, whose other parameters are filters (``column__operator=value``), and its
        answer.
    reserved
        Further parameters that are no filters.

    Raises
    ------
    ApiError
        400 for an unknown column, operator or value.
    """
    known = TableRequest.parameters | frozenset(reserved)
    for key, text in request.query_params.multi_items():
        if key not in known:
            query = query.where(_condition(model, key, text))
    key_column, identity = _column(model, listing.sort.removeprefix("-")), _column(model, "id")
    descending = listing.sort.startswith("-")
    after = decode_cursor(listing.cursor, _reader(_kind(key_column)), int)
    if after is not None:
        query = query.where(_after(key_column, identity, descending, after))
    ordered = key_column.desc() if descending else key_column.asc()
    query = query.order_by(
        *([ordered] if key_column is identity else [ordered.nulls_last(), identity])
    )
    if listing.chosen != "json":
        return await _file(session, model, query, listing, request, key_column.name)
    found, more = split(
        (await session.execute(query.limit(listing.limit + 1))).mappings().all(), listing.limit
    )
    last = (found[-1][key_column.name], found[-1]["id"]) if more else None
    body = page(request, response, [dict(row) for row in found], last)
    return {"columns": [column.describe() for column in columns_of(model)], **body}


def _reader(kind: type) -> Callable[[Any], Any]:
    """Check that part of a cursor is a value of a column."""

    def read(value: Any) -> Any:
        if value is not None and type(value) is not kind:
            raise TypeError(f"{value!r} is not of type {kind.__name__}")
        return value

    return read


async def _file(
    session: AsyncSession,
    model: type[Base],
    query: Select[Any],
    listing: TableRequest,
    request: Request,
    key: str,
) -> Response:
    """Return the rows as a file, read in batches.

    It ends earlier where its texts would be very long.
    """
    columns = columns_of(model)
    export = Export(columns, listing.chosen)
    documents = any(isinstance(column.type, JSONB) for column in _sql_columns(model))
    batches = {"yield_per": _DOCUMENT_BATCH if documents else _BATCH}
    more, last = False, None
    await asyncio.to_thread(export.add, _values(columns, []))
    result = await session.stream(query.limit(listing.limit + 1), execution_options=batches)
    async for batch in result.partitions():
        rows = batch[: 0 if export.full else listing.limit - export.rows]
        if rows:
            await asyncio.to_thread(export.add, _values(columns, rows))
            last = rows[-1]
        if len(rows) < len(batch):
            more = True
            break
    await session.close()
    response = await asyncio.to_thread(export.response, model.__tablename__)
    if more and last is not None:
        link_next(request, response, (getattr(last, key), last.id))
    return response


def _values(columns: Sequence[Column], rows: Sequence[Any]) -> dict[str, Values]:
    """Return the values of rows by column."""
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    return {
        column.name: masked(column.kind, values)
        for column, values in zip(columns, cells, strict=True)
    }
