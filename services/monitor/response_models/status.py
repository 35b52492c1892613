"""Status and health of the system."""

from typing import Any, Literal

from pydantic import Field

from services.monitor.response_models.archive import CatalogueStatus
from services.monitor.response_models.common import ResponseModel, Timestamp

__all__ = ["FailureCount", "Health", "QueueStatus", "ScanSummary", "SystemStatus", "WorkerStatus"]


class QueueStatus(ResponseModel):
    """What waits in a queue, and who works on it."""

    waiting: int
    oldest_seconds: float = Field(description="How long the oldest job has waited, s")
    workers: int = Field(description="Worker processes that work on it")


class FailureCount(ResponseModel):
    """Failed jobs of a stage and kind of error."""

    stage: str
    kind: str | None
    count: int


class ScanSummary(ResponseModel):
    """Newest look at a source."""

    source: str = Field(description="Address of the source, without passwords")
    files: int
    changed: int
    datasets: int
    left_aside: dict[str, Any] = Field(
        description="Files in no dataset: their number and some names, by the reason"
    )
    finished_at: Timestamp


class WorkerStatus(ResponseModel):
    """A worker process."""

    name: str
    state: str = Field(description="at work, paused, faulty or away")
    silent_seconds: float = Field(description="Time since its last sign of life, s")
    reason: str | None
    queues: list[str] = Field(description="Queues that it works on")


class SystemStatus(ResponseModel):
    """What runs, what waits, what failed."""

    datasets: dict[str, int] = Field(description="Datasets by state")
    jobs: dict[str, int] = Field(description="Jobs by state")
    stages: dict[str, dict[str, int]] = Field(description="Jobs by stage and state")
    oldest_running_seconds: float | None = Field(description="Age of the oldest attempt, s")
    queues: dict[str, QueueStatus] = Field(description="Every queue, by name")
    failures: list[FailureCount]
    last_scan: ScanSummary | None
    catalogues: list[CatalogueStatus] = Field(
        description="Remote archives that were asked what they have"
    )
    workers: list[WorkerStatus]
    trouble: list[str] = Field(
        description="What is wrong with workers and remote archives, and queues that nobody works "
        "on, in words"
    )
    newest_event: Timestamp | None
    newest_exposure: Timestamp | None = Field(description="End of the newest exposure")


class Health(ResponseModel):
    """The process, or the system, is well."""

    status: Literal["ok"] = "ok"
