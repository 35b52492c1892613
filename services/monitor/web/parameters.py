"""Parameters that several operations have, with their limits."""

import re
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, BeforeValidator, Field

from services.monitor.monitors import monitors

__all__ = [
    "LONGEST_NAME",
    "MOST_ROW_NUMBER",
    "ErrorKind",
    "Exposure",
    "MonitorName",
    "Name",
    "Product",
    "Rootname",
    "RowNumber",
    "Segment",
    "Since",
]

LONGEST_NAME = 255
"""Characters of a file name on every file system, and so of a rootname."""

MOST_ROW_NUMBER = 2**63 - 1
"""Largest number that a row of the database can have (bigint)."""

RowNumber = Annotated[int, Field(ge=0, le=MOST_ROW_NUMBER, description="Number of a row")]
"""Number of a row of the database."""

Name = Annotated[str, Field(max_length=LONGEST_NAME)]
"""Name of anything."""


def _list_monitors(schema: dict[str, Any]) -> None:
    schema["enum"] = list(monitors())


MonitorName = Annotated[
    Name, Field(description="Name of the monitor", json_schema_extra=_list_monitors)
]
Rootname = Annotated[
    str,
    Field(
        min_length=1, max_length=LONGEST_NAME, description="Rootname of a dataset or of a member"
    ),
]
ErrorKind = Annotated[
    str | None, Query(max_length=LONGEST_NAME, description="Kind of error, e.g. transient")
]


def _refuse_number(value: Any) -> Any:
    """Refuse seconds since 1970, which pydantic takes for a time and the schema does not have."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?[\d.]*(e[+-]?\d+)?", value, re.IGNORECASE):
        raise ValueError("a time is written as ISO 8601 with zone")
    return value


Since = Annotated[AwareDatetime | None, BeforeValidator(_refuse_number)]
"""Time at or after which something happened."""

Exposure = Annotated[
    str | None,
    Query(max_length=LONGEST_NAME, description="Rootname of an exposure; default: any"),
]
Product = Annotated[
    str | None,
    Query(
        pattern="^x1d(sum[1-4]?)?$",
        max_length=LONGEST_NAME,
        description="Suffix of the product; default: the best",
    ),
]
Segment = Annotated[
    str | None, Query(max_length=LONGEST_NAME, description="Segment or stripe; default: all")
]
