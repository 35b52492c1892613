"""Targets of exposures."""

from pydantic import Field

from services.monitor.response_models.common import ResponseModel

__all__ = ["Target", "Targets"]


class Target(ResponseModel):
    """A target, with what was spent on it."""

    name: str = Field(description="TARGNAME of its exposures")
    exposures: int = Field(description="How many there are")
    exptime: float | None = Field(description="Sum of their exposure times, s")


class Targets(ResponseModel):
    """Targets by name."""

    items: list[Target] = Field(description="In the order of their names")
