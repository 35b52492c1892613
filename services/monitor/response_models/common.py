"""What answers of all resources share: pages, errors, times."""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

__all__ = ["ErrorDescription", "ErrorResponse", "Page", "ResponseModel", "Timestamp"]

Item = TypeVar("Item")

Timestamp = Annotated[
    datetime,
    PlainSerializer(datetime.isoformat, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Time with its zone; in JSON as ISO 8601."""


class ResponseModel(BaseModel):
    """Record that an answer consists of; it can be made from an object with the same attributes."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Page(ResponseModel, Generic[Item]):
    """Page of a list; the ``Link`` header has the address of the next one, if there is one."""

    items: list[Item] = Field(description="Items of this page")


class ErrorDescription(ResponseModel):
    """Why a request was not answered."""

    type: str = Field(description="Machine-readable code, e.g. unknown_dataset")
    message: str = Field(description="What is wrong and what to do")
    detail: Any = Field(None, description="Further machine-readable details")


class ErrorResponse(ResponseModel):
    """Body of every error."""

    error: ErrorDescription = Field(description="Description of the error")
