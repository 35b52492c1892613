"""Science tables: any column can be asked for, filtered on and sorted by."""

import asyncio
import operator as operators
from collections.abc import Callable
from typing import Annotated, Any, cast

import numpy as np
from fastapi import APIRouter, Header, Query, Request, Response
from sqlalchemy import Boolean, ColumnElement, Float, Integer, RowMapping, Select, Text, and_, or_, select
from sqlalchemy import Column as SqlColumn
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import JSONB

from services.monitor.context import Session
from services.monitor.errors import ApiError
from services.monitor.formats import Column, Values, choose_format, masked, render
from services.monitor.paging import decode_cursor, link_next, page, split
from shared.database.base import Base
from shared.database.models.operations import File
from shared.database.models.science import DERIVED_TABLES, SCIENCE_TABLES

__all__ = ["router"]

router = APIRouter(prefix="/tables", tags=["tables"])
_RESERVED = frozenset({"limit", "cursor", "sort", "format", "generation"})
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operators.eq,
    "ne": operators.ne,
    "lt": operators.lt,
    "lte": operators.le,
    "gt": operators.gt,
    "gte": operators.ge,
}
_TABLES: dict[str, type[Base]] = {**SCIENCE_TABLES, **DERIVED_TABLES}
_DEFAULT_JSON, _MAX_JSON, _MAX_FILE = 100, 1000, 100_000
_BATCH = 5000
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def _kind(column: SqlColumn[Any]) -> type:
    if isinstance(column.type, Float):
        return float
    if isinstance(column.type, Boolean):
        return bool
    return int if isinstance(column.type, Integer) else str


def _sql_columns(model: type[Base]) -> list[SqlColumn[Any]]:
    return [cast("SqlColumn[Any]", column) for column in model.__table__.columns]


def _columns(model: type[Base]) -> list[Column]:
    return [
        Column(column.name, _kind(column), column.info.get("unit"), column.info.get("meaning") or column.comment or "")
        for column in _sql_columns(model)
    ]


def _model(name: str) -> type[Base]:
    if name not in _TABLES:
        raise ApiError(404, "unknown_table", f"no table {name!r}; there are {', '.join(_TABLES)}")
    return _TABLES[name]


@router.get("", summary="Science tables with their columns, units and types")
async def list_tables() -> dict[str, Any]:
    """Describe every table."""
    return {
        "items": [
            {
                "name": name,
                "description": (model.__doc__ or "").splitlines()[0],
                "columns": [column.describe() for column in _columns(model)],
            }
            for name, model in _TABLES.items()
        ]
    }


def _column(model: type[Base], name: str) -> SqlColumn[Any]:
    columns = {column.name: column for column in _sql_columns(model)}
    if name not in columns:
        message = f"{model.__tablename__} has no column {name!r}; it has {', '.join(columns)}"
        raise ApiError(400, "unknown_column", message, list(columns))
    if isinstance(columns[name].type, JSONB):
        raise ApiError(400, "unknown_column", f"{name} is a document; it is neither filtered nor sorted by")
    return columns[name]


def _convert(column: SqlColumn[Any], text: str) -> Any:
    kind = _kind(column)
    try:
        if kind is bool:
            return _TRUTH[text.lower()]
        return kind(text)
    except (ValueError, KeyError) as error:
        raise ApiError(400, "bad_value", f"{column.name}: {text!r} is not of type {kind.__name__}") from error


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
        message = f"{key}={text}: operators are {', '.join(known)}; like is for text, isnull takes true or false"
        raise ApiError(400, "unknown_operator", message, known)
    return condition


def _after(column: SqlColumn[Any], key: SqlColumn[Any], descending: bool, after: list[Any]) -> ColumnElement[bool]:
    """Rows behind a key in an order that puts nulls last."""
    value, identity = after
    tie = and_(column.is_(None) if value is None else column == value, key > identity)
    if value is None:
        return tie
    return or_(column < value if descending else column > value, column.is_(None), tie)


def _query(
    model: type[Base], request: Request, sort: str, generation: str, after: list[Any] | None, documents: bool
) -> Select[Any]:
    table = model.__table__
    # A format that knows only numbers and texts gets documents as JSON text.
    query = select(
        *(
            column if documents or not isinstance(column.type, JSONB) else sql_cast(column, Text).label(column.name)
            for column in table.columns
        )
    ).select_from(table)
    if generation == "current":
        if "file_id" in table.c:
            query = query.join(File, File.id == table.c.file_id).where(File.shown)
        if "preferred" in table.c:
            query = query.where(table.c.preferred)
    elif generation != "all":
        raise ApiError(400, "bad_value", f"generation is `current` or `all`, not {generation!r}")
    for key, text in request.query_params.multi_items():
        if key not in _RESERVED:
            query = query.where(_condition(model, key, text))
    descending = sort.startswith("-")
    column = _column(model, sort.removeprefix("-"))
    if after is not None:
        query = query.where(_after(column, _column(model, "id"), descending, after))
    ordered = column.desc() if descending else column.asc()
    return query.order_by(ordered.nulls_last(), table.c.id)


@router.get("/{name}", summary="Rows of a science table")
async def show_table(
    name: str,
    request: Request,
    response: Response,
    session: Session,
    sort: Annotated[str, Query(description="Column; a minus sign before it turns the order round")] = "id",
    generation: Annotated[str, Query(description="current, or all with superseded rows")] = "current",
    limit: Annotated[
        int | None, Query(ge=1, le=_MAX_FILE, description="Rows; default 100 as JSON (at most 1000), else 100,000")
    ] = None,
    cursor: str | None = None,
    format: str | None = None,  # noqa: A002 - the name of the query parameter
    accept: Annotated[str, Header()] = "",
) -> Any:
    """Page of rows as JSON, or up to 100,000 rows as a file; filter with ``?column__operator=value``."""
    model = _model(name)
    chosen = choose_format(format, accept)
    limit = limit or (_DEFAULT_JSON if chosen == "json" else _MAX_FILE)
    if chosen == "json" and limit > _MAX_JSON:
        raise ApiError(400, "bad_value", f"a JSON page has at most {_MAX_JSON} rows; follow its Link header")
    key = _column(model, sort.removeprefix("-"))
    after = decode_cursor(cursor, _reader(_kind(key)), int)
    query = _query(model, request, sort, generation, after, documents=chosen == "json")
    if chosen != "json":
        return await _file(session, model, query, limit, chosen, request, key.name)
    found, more = split((await session.execute(query.limit(limit + 1))).mappings().all(), limit)
    body = page(
        request, response, [_row(row) for row in found], (found[-1][key.name], found[-1]["id"]) if more else None
    )
    return {"columns": [column.describe() for column in _columns(model)], **body}


def _row(row: RowMapping) -> dict[str, Any]:
    """Row for JSON, which has no NaN: those become null."""
    return {name: None if value != value else value for name, value in row.items()}


def _reader(kind: type) -> Callable[[Any], Any]:
    """Check that part of a cursor is a value of a column."""

    def read(value: Any) -> Any:
        if value is not None and type(value) is not kind:
            raise TypeError(f"{value!r} is not of type {kind.__name__}")
        return value

    return read


async def _file(
    session: Session, model: type[Base], query: Select[Any], limit: int, chosen: str, request: Request, key: str
) -> Response:
    """Rows as a file, read in batches of columns so that a large table costs little more than its numbers."""
    columns = _columns(model)
    parts: dict[str, list[Values]] = {column.name: [masked(column.kind, [])] for column in columns}
    count, last = 0, None
    result = await session.stream(query.limit(limit + 1), execution_options={"yield_per": _BATCH})
    async for batch in result.partitions():
        rows = batch[: limit - count]
        more = len(rows) < len(batch)
        for column, values in zip(columns, zip(*rows, strict=True), strict=False):
            parts[column.name].append(masked(column.kind, values))
        count += len(rows)
        if rows:
            last = rows[-1]
        if more:
            break
    else:
        more = False
    await session.close()
    joined: dict[str, Values] = {name: np.ma.concatenate(arrays) for name, arrays in parts.items()}  # type: ignore[no-untyped-call]
    response = await asyncio.to_thread(render, model.__tablename__, columns, joined, chosen)
    if more and last is not None:
        link_next(request, response, (getattr(last, key), last.id))
    return response
