"""Monitors, their figures, rules, runs and files."""

from typing import Any, Literal

from pydantic import Field

from services.monitor.response_models.common import ResponseModel, Timestamp

__all__ = [
    "ArtifactRecord",
    "FigureList",
    "FigureSummary",
    "MonitorDescription",
    "MonitorList",
    "MonitorSummary",
    "QuantityDescription",
    "RuleDescription",
    "RunRecord",
    "RunRequest",
    "SeverityName",
    "Threshold",
]

SeverityName = Literal["info", "warn", "alert", "critical"]
"""How severe an alert is, in ascending order."""


class RunRecord(ResponseModel):
    """A run of a monitor."""

    id: int
    job_id: int | None = Field(description="Job that it was; null where that was forgotten")
    outcome: Literal["no_new_data", "updated", "failed"]
    reason: str | None = Field(description="Why it failed")
    generation: int = Field(description="Newest event that its inputs reflect")
    newest_mjd: float | None = Field(description="Time of its newest input, MJD")
    versions: dict[str, int | str] = Field(
        description="Version of the monitor and of what it computes with"
    )
    seconds: float | None = Field(description="How long it took, s")
    created_at: Timestamp


class MonitorSummary(ResponseModel):
    """State of a monitor."""

    name: str
    title: str
    detector: str
    freshness: Literal["fresh", "stale", "ahead", "failed", "empty"]
    cadence_days: float = Field(description="Data are expected this often, d")
    last_run: RunRecord | None = Field(
        description="Newest run that computed something or failed; null where there is none"
    )
    alerts: dict[SeverityName, int] = Field(description="Unresolved alerts by severity")
    worst_alert: SeverityName | None


class MonitorList(ResponseModel):
    """All monitors."""

    items: list[MonitorSummary]


class QuantityDescription(ResponseModel):
    """Unit and meaning of a quantity."""

    unit: str
    description: str


class Threshold(ResponseModel):
    """Threshold of a rule from a date on."""

    from_mjd: float | None = Field(description="Date, MJD")
    value: float | None
    source: str = Field(description="Where it is from")


class RuleDescription(ResponseModel):
    """A rule of a monitor."""

    name: str
    severity: SeverityName | None = Field(
        description="Severity of its alerts; null where it only marks outliers or gives a number"
    )
    text: str = Field(description="The rule in words, with the threshold in force")
    thresholds: list[Threshold] = Field(description="Thresholds in order of their dates")
    source: str = Field(description="Where the threshold in force, or the rule, is from")


class FigureSummary(ResponseModel):
    """Title and caption of a figure."""

    name: str
    title: str
    caption: str


class FigureList(ResponseModel):
    """All figures of a monitor."""

    items: list[FigureSummary]


class MonitorDescription(MonitorSummary):
    """A monitor: what it means, its state, its rules, its numbers, its figures."""

    explanation: str = Field(description="What it measures, paragraph by paragraph")
    version: int
    tables: list[str] = Field(description="Tables that it reads")
    quantities: dict[str, QuantityDescription] = Field(description="What it derives, by name")
    rules: list[RuleDescription]
    statistics: dict[str, Any] = Field(description="Statistics of its values, by group and period")
    figures: list[FigureSummary]


class ArtifactRecord(ResponseModel):
    """A file that a monitor made."""

    id: int
    run_id: int
    kind: str = Field(description="Kind of file, e.g. GSAGTAB")
    name: str
    size: int = Field(description="Size, bytes")
    sha256: str
    detail: dict[str, Any] = Field(description="Checks, and the difference to the active file")
    current: bool = Field(description="Whether it is in force")
    created_at: Timestamp


class RunRequest(ResponseModel):
    """A run that was requested."""

    monitor: str
    status: Literal["requested"]
