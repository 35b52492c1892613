"""Tables: their columns, and pages of their rows.

Pages of rows are written without validation, which would take longer than the query.
"""

from typing import Any, Literal

from pydantic import Field

from services.monitor.response_models.common import ResponseModel
from services.monitor.response_models.monitors import QuantityDescription

__all__ = ["ColumnDescription", "MonitorValuePage", "TableDescription", "TableList", "TablePage"]


class ColumnDescription(ResponseModel):
    """A column of a table."""

    name: str
    type: Literal["float", "int", "bool", "str"]
    unit: str | None
    description: str


class TableDescription(ResponseModel):
    """A table."""

    name: str
    description: str
    columns: list[ColumnDescription]


class TableList(ResponseModel):
    """All tables."""

    items: list[TableDescription]


class TablePage(ResponseModel):
    """Page of rows; the ``Link`` header has the address of the next one, if there is one."""

    columns: list[ColumnDescription]
    items: list[dict[str, Any]] = Field(description="Rows: values by column")


class MonitorValuePage(TablePage):
    """Page of values of a monitor."""

    quantities: dict[str, QuantityDescription] = Field(description="What it derives, by name")
