"""Formats of tables, until they have their place."""

from typing import Annotated, Any

from fastapi import Query

from services.monitor.tables.columns import MEDIA_TYPES

__all__ = ["Format", "file_content"]

Format = Annotated[
    str | None,
    Query(
        description="Format; default: what the header Accept prefers, else json",
        json_schema_extra={"enum": [*MEDIA_TYPES, None]},
    ),
]

file_content: dict[str, Any] = {
    media_type: {"schema": {"type": "string", "contentMediaType": media_type}}
    for name, media_type in MEDIA_TYPES.items()
    if name != "json"
}
