"""Columns of a table, and the conditions and order that rows of it can be asked for by."""

import operator as operators
from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    and_,
    or_,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy.dialects.postgresql import JSONB

from services.monitor.tables.columns import Column
from services.monitor.tables.errors import TableError
from shared.database.base import Base

__all__ = ["columns_of", "condition", "rows_after", "sortable_column", "sql_columns", "value_type"]

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operators.eq,
    "ne": operators.ne,
    "lt": operators.lt,
    "lte": operators.le,
    "gt": operators.gt,
    "gte": operators.ge,
}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def value_type(column: SqlColumn[Any]) -> type:
    """Return the Python type of a column's values."""
    if isinstance(column.type, Float):
        return float
    if isinstance(column.type, Boolean):
        return bool
    return int if isinstance(column.type, Integer) else str


def sql_columns(model: type[Base]) -> list[SqlColumn[Any]]:
    """Return the columns that are shown.

    Not when a row was written, which the timeline of its dataset says, and no packed content.
    """
    columns = (cast("SqlColumn[Any]", column) for column in model.__table__.columns)
    return [column for column in columns if not isinstance(column.type, (DateTime, LargeBinary))]


def columns_of(model: type[Base]) -> list[Column]:
    """List the columns of a table with their units and meanings."""
    return [
        Column(
            column.name,
            value_type(column),
            column.info.get("unit"),
            column.info.get("meaning") or column.comment or "",
        )
        for column in sql_columns(model)
    ]


def sortable_column(model: type[Base], name: str) -> SqlColumn[Any]:
    """Find a column that rows can be filtered and sorted by.

    Raises
    ------
    TableError
        If there is none of this name, or it holds documents.
    """
    columns = {column.name: column for column in sql_columns(model)}
    if name not in columns:
        message = f"{model.__tablename__} has no column {name!r}; it has {', '.join(columns)}"
        raise TableError("unknown_column", message, list(columns))
    if isinstance(columns[name].type, JSONB):
        raise TableError(
            "unknown_column",
            f"{name} is a JSON document, by which rows can neither be filtered nor sorted",
        )
    return columns[name]


def _convert(column: SqlColumn[Any], text: str) -> Any:
    kind = value_type(column)
    try:
        if kind is bool:
            return _TRUTH[text.lower()]
        return kind(text)
    except (ValueError, KeyError) as error:
        raise TableError(
            "bad_value", f"{column.name}: {text!r} is not of type {kind.__name__}"
        ) from error


def condition(model: type[Base], key: str, text: str) -> ColumnElement[bool]:
    """Make the condition of a filter ``column__operator=value``.

    Raises
    ------
    TableError
        For an unknown column, operator or value.
    """
    name, _, operator = key.partition("__")
    column = sortable_column(model, name)
    operator = operator or "eq"
    made: ColumnElement[bool]
    if operator in _COMPARISONS:
        made = _COMPARISONS[operator](column, _convert(column, text))
    elif operator == "in":
        made = column.in_([_convert(column, part) for part in text.split(",")])
    elif operator == "like" and value_type(column) is str:
        made = column.like(text)
    elif operator == "isnull" and text.lower() in _TRUTH:
        made = column.is_(None) if _TRUTH[text.lower()] else column.is_not(None)
    else:
        known = [*_COMPARISONS, "in", "like", "isnull"]
        message = (
            f"{key}={text}: operators are {', '.join(known)}; like is for text, isnull "
            "takes true or false"
        )
        raise TableError("unknown_operator", message, known)
    return made


def rows_after(
    column: SqlColumn[Any], key: SqlColumn[Any], descending: bool, after: Sequence[Any]
) -> ColumnElement[bool]:
    """Select the rows after a key, in an order that puts nulls last.

    Raises
    ------
    TableError
        If the key is none of this order.
    """
    value, identity = after
    if value is not None and type(value) is not value_type(column):
        raise TableError(
            "bad_cursor",
            "this cursor belongs to another query; take it from the Link header of a page",
        )
    tie = and_(column.is_(None) if value is None else column == value, key > identity)
    if value is None:
        return tie
    beyond: ColumnElement[bool] = column < value if descending else column > value
    # Of the key a plain bound, so that its index leads there however far it is.
    return beyond if column is key else or_(beyond, column.is_(None), tie)
