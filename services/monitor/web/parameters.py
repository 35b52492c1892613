"""Parameters that several operations have, with their limits."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

__all__ = [
    "LONGEST_NAME",
    "ErrorKind",
    "Exposure",
    "Name",
    "Product",
    "Rootname",
    "RowNumber",
    "Segment",
]

LONGEST_NAME = 255
"""Characters of a file name on every file system, and so of a rootname."""

RowNumber = Annotated[int, Field(ge=0, le=2**63 - 1, description="Number of a row")]
"""Number of a row of the database (bigint)."""

Name = Annotated[str, Field(max_length=LONGEST_NAME)]
"""Name of anything."""

Rootname = Annotated[
    str,
    Field(
        min_length=1, max_length=LONGEST_NAME, description="Rootname of a dataset or of a member"
    ),
]
ErrorKind = Annotated[
    str | None, Query(max_length=LONGEST_NAME, description="Kind of error, e.g. transient")
]
Exposure = Annotated[
    str | None,
    Query(max_length=LONGEST_NAME, description="Rootname of an exposure; default: any"),
]
Product = Annotated[
    str | None,
    Query(pattern="^x1d(sum[1-4]?)?$", description="Suffix of the product; default: the best"),
]
Segment = Annotated[
    str | None, Query(max_length=LONGEST_NAME, description="Segment or stripe; default: all")
]
