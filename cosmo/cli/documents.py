"""Results of the client as JSON documents."""

from typing import Any

from pydantic import BaseModel

__all__ = ["as_document"]


def as_document(record: BaseModel) -> dict[str, Any]:
    """Make the JSON document that the service sent a record as."""
    return record.model_dump(mode="json", exclude_unset=True)
