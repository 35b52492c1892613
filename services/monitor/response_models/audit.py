"""Entries of the audit."""

from pydantic import Field

from services.monitor.response_models.common import ResponseModel, Timestamp

__all__ = ["AuditRecord"]


class AuditRecord(ResponseModel):
    """A call that would change something, sent with a known token."""

    id: int
    token: str = Field(description="Name of the token")
    method: str
    path: str = Field(description="Path and query of the address")
    subject: str | None = Field(description="What it was about, where the address does not say it")
    status: int = Field(description="HTTP status of the answer")
    at: Timestamp
