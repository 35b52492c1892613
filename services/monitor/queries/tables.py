"""Tables that are open to readers, and the rows of them that are in force."""

from typing import Any

from sqlalchemy import Select

from services.monitor.framework.declaration import Monitor
from services.monitor.queries.errors import BadValueError, NotFoundError
from services.monitor.tables.query import TableRequest, select_rows
from shared.database.base import Base
from shared.database.models.monitoring import MonitorValue
from shared.database.models.operations import File
from shared.database.models.science import DERIVED_TABLES, SCIENCE_TABLES

__all__ = ["GENERATIONS", "TABLES", "find_table", "select_generation", "select_values"]

TABLES: dict[str, type[Base]] = {"files": File, **SCIENCE_TABLES, **DERIVED_TABLES}
GENERATIONS = ("current", "all")
"""Rows in force, or all with the superseded ones."""


def find_table(name: str) -> type[Base]:
    """Find a table by its name.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    if name not in TABLES:
        raise NotFoundError("unknown_table", f"no table {name!r}; there are {', '.join(TABLES)}")
    return TABLES[name]


def select_generation(model: type[Base], wanted: TableRequest, generation: str) -> Select[Any]:
    """Select rows of a table of a generation (`GENERATIONS`).

    Raises
    ------
    BadValueError
        If there is no such generation.
    """
    if generation not in GENERATIONS:
        raise BadValueError("bad_value", f"generation is `current` or `all`, not {generation!r}")
    query, table = select_rows(model, wanted), model.__table__
    if generation == "all":
        return query
    if "file_id" in table.c:
        query = query.join(File, File.id == table.c.file_id).where(File.shown)
    if "preferred" in table.c:
        query = query.where(table.c.preferred)
    if "current" in table.c:
        query = query.where(table.c.current)
    return query


def select_values(monitor: Monitor, wanted: TableRequest) -> Select[Any]:
    """Select the values of a monitor."""
    return select_rows(MonitorValue, wanted).where(MonitorValue.monitor == monitor.name)
