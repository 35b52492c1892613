"""Reference of the tables, from their SQLAlchemy models."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy.dialects import postgresql

from docs._ext.markup import heading, list_table, literal, prose, target
from shared.database.base import Base
from shared.database.models.operations import File
from shared.database.models.science import DERIVED_TABLES, SCIENCE_TABLES

__all__ = ["tables"]

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def tables() -> Iterator[str]:
    """Describe every table that the API serves, column by column."""
    models: dict[str, type[Base]] = {**SCIENCE_TABLES, **DERIVED_TABLES, "files": File}
    for name, model in models.items():
        yield from target(f"table-{name}")
        yield from heading(literal(name), "-")
        yield from (prose(model.__doc__), "")
        columns = map(_described, model.__table__.columns)
        yield from list_table(("Column", "Type", "Unit", "Meaning"), columns, "20 15 15 50")


def _described(column: Any) -> tuple[str, str, str, str]:
    meaning = column.info.get("meaning") or column.comment or ""
    unit = column.info.get("unit") or ""
    kind = column.type.compile(_DIALECT).lower()
    return literal(column.name), kind, unit, prose(str(meaning))
