"""Jobs and failures."""

from typing import Literal

from pydantic import Field

from services.monitor.response_models.common import ResponseModel, Timestamp
from services.monitor.response_models.datasets import StageName

__all__ = ["DroppedJobs", "JobRecord", "RequeuedJobs"]


class JobRecord(ResponseModel):
    """Work on a dataset or on a monitor."""

    rootname: str | None = Field(description="Its dataset; null for work on a monitor")
    monitor: str | None = Field(description="Its monitor; null for work on a dataset")
    id: int
    trace: str = Field(description="Shared with the jobs that it comes from and that it causes")
    stage: StageName = Field(description="Kind of work")
    queue: str
    state: Literal["queued", "running", "done", "failed", "skipped", "dropped", "superseded"]
    attempts: int = Field(description="Attempts so far")
    worker: str | None = Field(description="Worker that has it, or had it last")
    error_kind: str | None = Field(description="Kind of the last error, e.g. transient")
    error: str | None = Field(description="The last error")
    fingerprint: str = Field(description="Hash of everything that the result depends on")
    created_at: Timestamp
    not_before: Timestamp = Field(description="When it is due")
    lease_until: Timestamp | None = Field(description="When its worker must have renewed its claim")
    finished_at: Timestamp | None


class RequeuedJobs(ResponseModel):
    """Failed jobs that are tried again."""

    requeued: int = Field(description="Jobs that were put into their queues")
    beyond_quota: int | None = Field(
        None,
        description="Recalibrations that stay where they are because their token has as many "
        "waiting or running as it may; left out where there are none",
    )


class DroppedJobs(ResponseModel):
    """Failed jobs that were taken off the list of failures."""

    dropped: int = Field(description="Jobs that were dropped")
