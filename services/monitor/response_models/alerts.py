"""Alerts, and subscriptions to them."""

from typing import Literal

from pydantic import Field

from services.monitor.response_models.common import ResponseModel, Timestamp
from services.monitor.response_models.monitors import SeverityName

__all__ = [
    "Acknowledgement",
    "AlertRecord",
    "NewSubscriptionRecord",
    "SubscriptionList",
    "SubscriptionRecord",
]


class AlertRecord(ResponseModel):
    """Something that a rule found."""

    id: int
    monitor: str = Field(description="Monitor, or operations for the system itself")
    run_id: int | None = Field(description="Run of the monitor that found it last")
    rule: str = Field(description="The rule in words")
    severity: SeverityName
    message: str
    value: float | None
    threshold: float | None
    source: str = Field(description="Where the threshold is from")
    rootname: str | None
    state: Literal["open", "acknowledged", "resolved"]
    acknowledged_by: str | None = Field(description="Name of the token")
    opened_at: Timestamp
    acknowledged_at: Timestamp | None
    resolved_at: Timestamp | None


class Acknowledgement(ResponseModel):
    """An alert that was acknowledged."""

    acknowledged: int = Field(description="Number of the alert")


class SubscriptionRecord(ResponseModel):
    """Who receives what, and how its deliveries went."""

    id: int
    channel: Literal["webhook", "email"]
    target: str = Field(description="URL or e-mail address")
    monitor: str | None = Field(description="Name of the monitor; null for all")
    subject: Literal["alerts", "results"]
    severity: SeverityName = Field(description="Least severe alert that is delivered")
    created_by: str = Field(description="Name of the token")
    failures: int = Field(description="Failed attempts in succession")
    last_error: str | None
    signed: bool = Field(description="Whether its messages are signed")
    created_at: Timestamp
    disabled_at: Timestamp | None = Field(description="When it was disabled")
    deliveries: dict[str, int] = Field(description="Messages by state")


class NewSubscriptionRecord(SubscriptionRecord):
    """A subscription as its maker sees it, once."""

    secret: str | None = Field(description="Key of the signatures of a webhook's messages")


class SubscriptionList(ResponseModel):
    """All subscriptions."""

    items: list[SubscriptionRecord]
