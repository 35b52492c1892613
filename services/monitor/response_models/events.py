"""Events as the stream sends them."""

from typing import Any

from pydantic import Field

from services.monitor.response_models.common import ResponseModel, Timestamp

__all__ = ["EventRecord"]


class EventRecord(ResponseModel):
    """Something that happened; the JSON text of a server-sent event."""

    id: int = Field(description="Place in the feed: grows from event to event, with gaps")
    at: Timestamp
    name: str = Field(description="Name of the event, e.g. dataset.fetched")
    rootname: str | None = Field(description="Dataset that it happened to")
    monitor: str | None = Field(description="Monitor that it happened to")
    job_id: int | None
    detail: dict[str, Any]
