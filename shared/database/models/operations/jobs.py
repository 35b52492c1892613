"""Jobs, their attempts, and how many there are."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base
from shared.database.enum_column import enum_column
from shared.logs import current_trace

__all__ = ["Attempt", "Job", "JobState", "Stage", "StateCount"]


class Stage(StrEnum):
    """The kinds of work: the pipeline's in its order, then those beside it."""

    FETCH = "fetch"
    CALIBRATE = "calibrate"
    INGEST_RAW = "ingest-raw"
    INGEST_PRODUCTS = "ingest-products"
    MONITOR = "monitor"
    RECALIBRATE = "recalibrate"


class JobState(StrEnum):
    """States of a job; the last five are final until it is requeued."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    DROPPED = "dropped"
    SUPERSEDED = "superseded"


class Job(Base):
    """Work to do.

    One row per stage and unit of work, on a dataset or on a monitor.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint(
            "stage", "dataset_id", "monitor", "fingerprint", postgresql_nulls_not_distinct=True
        ),
        CheckConstraint("num_nonnulls(dataset_id, monitor) = 1", name="one_subject"),
        Index("ix_jobs_due", "queue", "not_before", postgresql_where=text("state = 'queued'")),
        Index(
            "ix_jobs_unsent",
            "queue",
            "id",
            postgresql_where=text("state = 'queued' AND sent_at IS NULL"),
        ),
        Index(
            "ix_jobs_sent",
            "queue",
            "id",
            postgresql_where=text("state = 'queued' AND sent_at IS NOT NULL"),
        ),
        Index("ix_jobs_lease", "lease_until", postgresql_where=text("state = 'running'")),
        Index(
            "ix_jobs_without_result",
            "state",
            "id",
            postgresql_where=text("state IN ('failed', 'skipped', 'dropped', 'superseded')"),
        ),
        Index(
            "ix_jobs_of_monitors",
            "monitor",
            postgresql_where=text("monitor IS NOT NULL AND state NOT IN ('dropped', 'superseded')"),
        ),
        Index("ix_jobs_queue_id", "queue", "id"),
        Index(
            "ix_jobs_error_kind",
            "error_kind",
            "id",
            postgresql_where=text("error_kind IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    stage: Mapped[Stage] = mapped_column(enum_column(Stage))
    dataset_id: Mapped[int | None] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), index=True
    )
    monitor: Mapped[str | None] = mapped_column(
        comment="Name of the monitor, where the work is on none of the datasets"
    )
    fingerprint: Mapped[str] = mapped_column(comment="Hash of everything the result depends on")
    queue: Mapped[str]
    trace: Mapped[str] = mapped_column(
        default=current_trace,
        comment="Shared with the jobs that it comes from and those that it causes",
    )
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[JobState] = mapped_column(enum_column(JobState), default=JobState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(
        comment="When its message last went to the queue"
    )
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]
    error_kind: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class Attempt(Base):
    """One try at a job."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index(
            "ix_attempts_not_done",
            "finished_at",
            postgresql_where=text("outcome IS DISTINCT FROM 'done'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    worker: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(comment="done, failed, skipped, lost or given back")
    error_kind: Mapped[str | None]
    error: Mapped[str | None]
    log: Mapped[str | None]


class StateCount(Base):
    """Numbers of datasets and jobs by state, of which the sum over the rows of a key counts.

    Triggers add a row for every change, so that no two transactions wait for each other, and the
    dispatcher merges them (`shared.jobs.counts`).
    """

    __tablename__ = "state_counts"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    stage: Mapped[str | None] = mapped_column(comment="Stage of the jobs; null for datasets")
    queue: Mapped[str | None] = mapped_column(comment="Queue of the jobs; null for datasets")
    state: Mapped[str]
    number: Mapped[int] = mapped_column(BigInteger, comment="How many more, or fewer")
