"""Operational tables: what there is, what has to be done, what was done."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Index,
    Sequence,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base
from shared.logs import current_trace

__all__ = [
    "EVENT_SEQUENCE",
    "Attempt",
    "Dataset",
    "DatasetState",
    "Event",
    "File",
    "Job",
    "JobState",
    "Run",
    "Scan",
    "SourceFile",
    "SourceVisit",
    "Stage",
    "StateCount",
    "Worker",
]


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


class DatasetState(StrEnum):
    """States of a dataset; derived from its jobs (`shared.jobs.states`)."""

    DISCOVERED = "discovered"
    FETCHING = "fetching"
    FETCHED = "fetched"
    CALIBRATING = "calibrating"
    CALIBRATED = "calibrated"
    INGESTING = "ingesting"
    INGESTED = "ingested"
    SKIPPED = "skipped"
    FAILED = "failed"


def _values(enum: type[StrEnum]) -> list[str]:
    return [member.value for member in enum]


def _enum(enum: type[StrEnum]) -> Enum:
    return Enum(
        enum, native_enum=False, length=20, values_callable=_values, create_constraint=False
    )


class Dataset(Base):
    """What is calibrated or ingested as one: an association, or an exposure outside any."""

    __tablename__ = "datasets"
    __table_args__ = (
        # Lists, newest change first: of all, of a state, of a kind, of names that begin alike.
        Index("ix_datasets_changed", "updated_at", "id"),
        Index("ix_datasets_state_changed", "state", "updated_at", "id"),
        Index("ix_datasets_kind_changed", "kind", "updated_at", "id"),
        Index(
            "ix_datasets_rootname_prefix",
            "rootname",
            postgresql_ops={"rootname": "text_pattern_ops"},
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    rootname: Mapped[str] = mapped_column(
        unique=True,
        comment="Rootname, lower case; of an association or a file by itself its own name",
    )
    kind: Mapped[str] = mapped_column(comment="association, exposure or acquisition")
    state: Mapped[DatasetState] = mapped_column(
        _enum(DatasetState), default=DatasetState.DISCOVERED
    )
    reason: Mapped[str | None] = mapped_column(comment="Why it was skipped or failed")
    failed_stage: Mapped[str | None]
    error_kind: Mapped[str | None]
    members: Mapped[list[Any]] = mapped_column(
        default=list, comment="Rootnames of the association's exposures"
    )
    companions: Mapped[list[Any]] = mapped_column(
        default=list, comment="Acquisitions of the same visit"
    )
    missing: Mapped[list[Any]] = mapped_column(
        default=list, comment="Names of files that belong but are not there"
    )
    left_aside: Mapped[dict[str, Any]] = mapped_column(
        default=dict,
        server_default="{}",
        comment="Exposures and files that look like its own and are not, and why",
    )
    forced: Mapped[bool] = mapped_column(
        default=False, comment="An operator let it through incomplete"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    @property
    def complete(self) -> bool:
        """Whether nothing of it is missing."""
        return not self.missing


class SourceFile(Base):
    """A file as the last scan of a source saw it."""

    __tablename__ = "source_files"
    __table_args__ = (
        UniqueConstraint("source", "url"),
        Index("ix_source_files_visit", "source", "visit"),
        Index("ix_source_files_listed", "id", postgresql_where=text("listed IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source: Mapped[str] = mapped_column(comment="URL of the source")
    stem: Mapped[str] = mapped_column(comment="Canonical file name up to .fits")
    url: Mapped[str]
    name: Mapped[str] = mapped_column(comment="Canonical file name")
    identity: Mapped[str] = mapped_column(
        comment="Changes when the file changes (size, time or ETag)"
    )
    size: Mapped[int] = mapped_column(BigInteger)
    modified: Mapped[float | None] = mapped_column(
        comment="Time of its last change", info={"unit": "s since 1970"}
    )
    visit: Mapped[str] = mapped_column(
        server_default="", comment="Key of `source_visits`, with whose files it is grouped"
    )
    present: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="The source has it, and its header was read"
    )
    listed: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True),
        comment="Its identity, size and time in the source where its header is to be read",
    )
    facts: Mapped[dict[str, Any]] = mapped_column(
        default=dict, comment="What grouping needs of its header"
    )
    dataset: Mapped[str | None] = mapped_column(
        index=True, comment="Rootname of the dataset it belongs to"
    )
    fetched_identity: Mapped[str | None] = mapped_column(
        comment="Identity of the version that is in the store"
    )
    file_id: Mapped[int | None] = mapped_column(
        ForeignKey("files.id", ondelete="SET NULL"), comment="That version"
    )


class SourceVisit(Base):
    """Files of a source whose names begin alike, which are grouped into datasets together."""

    __tablename__ = "source_visits"
    __table_args__ = (
        Index("ix_source_visits_pending", "source", "visit", postgresql_where=text("pending > 0")),
        Index("ix_source_visits_links", "source", "visit", postgresql_where=text("links <> '[]'")),
    )

    source: Mapped[str] = mapped_column(primary_key=True, comment="URL of the source")
    visit: Mapped[str] = mapped_column(
        primary_key=True, comment="First characters of the rootnames"
    )
    pending: Mapped[int] = mapped_column(
        BigInteger, server_default="0", comment="Number of changes that its datasets do not show"
    )
    rules: Mapped[int] = mapped_column(
        server_default="0", comment="Version of the rules by which its datasets were made"
    )
    links: Mapped[list[Any]] = mapped_column(
        server_default="[]", comment="Other visits that the headers of its files name"
    )
    files: Mapped[int] = mapped_column(server_default="0", comment="Number of its input files")
    datasets: Mapped[int] = mapped_column(server_default="0", comment="Number of its datasets")
    left_aside: Mapped[dict[str, Any]] = mapped_column(
        server_default="{}",
        comment="Files in no dataset: their number and some names, by the reason",
    )
    references: Mapped[dict[str, Any]] = mapped_column(
        server_default="{}",
        comment="SHA-256 of the reference files that its headers name: null for one that is not "
        "there, empty where nobody looked",
    )


class Scan(Base):
    """One look at a source."""

    __tablename__ = "scans"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime] = mapped_column(server_default=func.now())
    files: Mapped[int]
    changed: Mapped[int]
    datasets: Mapped[int]
    left_aside: Mapped[dict[str, Any]] = mapped_column(
        default=dict,
        server_default="{}",
        comment="Files in no dataset: their number and some names, by the reason",
    )


class Run(Base):
    """One run of CalCOS, good or failed: everything it depended on, and what it cost.

    Or what the archive made.
    """

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), index=True
    )
    job_id: Mapped[int | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"),
        index=True,
        comment="Null for products that somebody added",
    )
    attempt: Mapped[int] = mapped_column(comment="Number of the job's attempt that it belongs to")
    kind: Mapped[str] = mapped_column(
        default="calcos",
        comment="calcos: a run here; archive: products as the archive hands them out",
    )
    provenance: Mapped[dict[str, Any]] = mapped_column(
        default=dict,
        comment="Of the archive's products: file name to what its header says of how it was made",
    )
    current: Mapped[bool] = mapped_column(
        default=True, comment="Its products are the ones readers see"
    )
    path: Mapped[str | None] = mapped_column(
        comment="Folder of the products in the store; null for a failed run"
    )
    calcos_version: Mapped[str]
    inputs: Mapped[dict[str, Any]] = mapped_column(comment="Input file name to SHA-256")
    references: Mapped[dict[str, Any]] = mapped_column(
        comment="Reference file name to keyword and SHA-256"
    )
    switches: Mapped[dict[str, Any]] = mapped_column(comment="Raw file name to switches")
    randseeds: Mapped[dict[str, Any]] = mapped_column(comment="Raw file name to RANDSEED")
    accepted_missing: Mapped[list[Any]] = mapped_column(default=list)
    warnings: Mapped[list[Any]] = mapped_column(
        default=list, comment="Where the run is not what its headers say"
    )
    exit_status: Mapped[int | None] = mapped_column(
        comment="What CalCOS returned; null if it did not return"
    )
    signal: Mapped[str | None] = mapped_column(comment="Signal that ended it")
    error: Mapped[str | None] = mapped_column(comment="Why it failed; null for a good run")
    wall_seconds: Mapped[float]
    cpu_seconds: Mapped[float]
    peak_rss_mb: Mapped[float]
    trailer: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class File(Base):
    """One version of one FITS file in the store."""

    __tablename__ = "files"
    __table_args__ = (
        UniqueConstraint("path", "name"),
        Index(
            "ix_files_current_name",
            "dataset_id",
            "name",
            unique=True,
            postgresql_where=text("current"),
        ),
        Index("ix_files_shown", "rootname", "suffix", unique=True, postgresql_where=text("shown")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), index=True
    )
    run_id: Mapped[int | None] = mapped_column(
        ForeignKey("runs.id", ondelete="CASCADE"), index=True
    )
    origin: Mapped[str] = mapped_column(
        comment="raw, product, or extra: what a recalibration leaves beside its products"
    )
    path: Mapped[str] = mapped_column(comment="Folder in the store")
    name: Mapped[str] = mapped_column(comment="File name")
    rootname: Mapped[str | None] = mapped_column(
        index=True, comment="Rootname, when the name starts with one"
    )
    suffix: Mapped[str] = mapped_column(comment="Kind of file, e.g. rawtag_a")
    size: Mapped[int] = mapped_column(
        BigInteger, comment="Size in the store", info={"unit": "byte"}
    )
    sha256: Mapped[str] = mapped_column(comment="Checksum of the stored bytes")
    current: Mapped[bool] = mapped_column(default=True, comment="Newest version of this name")
    shown: Mapped[bool] = mapped_column(
        default=False,
        comment="Science rows of this file are the ones readers see: of each rootname one file of "
        "a kind",
    )
    verified_at: Mapped[datetime | None] = mapped_column(
        comment="When its bytes in the store were last as they must be"
    )
    ingested_at: Mapped[datetime | None] = mapped_column(
        comment="When its science rows were last written by a job"
    )
    problems: Mapped[list[Any]] = mapped_column(
        default=list, comment="What could not be read of it when its science rows were written"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


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
    stage: Mapped[Stage] = mapped_column(_enum(Stage))
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
    state: Mapped[JobState] = mapped_column(_enum(JobState), default=JobState.QUEUED)
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


EVENT_SEQUENCE = Sequence("events_sequence", data_type=BigInteger, metadata=Base.metadata)
"""Places of events in the feed; it never goes back, whatever is deleted."""


class Event(Base):
    """A fact that happened to a dataset or a monitor; append-only.

    Ids become visible in any order, though those of one dataset in theirs, since its row is locked.
    Who follows what happens goes by `sequence`.
    """

    __tablename__ = "events"
    __table_args__ = (
        # Partial, so that to give a place changes no key that a foreign one might refer to.
        Index(
            "ix_events_sequence",
            "sequence",
            unique=True,
            postgresql_where=text("sequence IS NOT NULL"),
        ),
        Index("ix_events_dataset_id_id", "dataset_id", "id"),
        Index("ix_events_name_sequence", "name", "sequence"),
        Index("ix_events_of_monitors", "sequence", postgresql_where=text("monitor IS NOT NULL")),
        Index("ix_events_unplaced", "id", postgresql_where=text("sequence IS NULL")),
        CheckConstraint("num_nonnulls(dataset_id, monitor) <= 1", name="at_most_one_subject"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    sequence: Mapped[int | None] = mapped_column(
        BigInteger,
        comment="Place in the feed, in the order of commits; null until the sequencer has given it",
    )
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    name: Mapped[str] = mapped_column(comment="e.g. dataset.fetched")
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    monitor: Mapped[str | None] = mapped_column(comment="Name of the monitor that it happened to")
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class CalcosVersion(Base):
    """A version of CalCOS that a calibrator published at its start; the last one counts."""

    __tablename__ = "calcos_versions"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    version: Mapped[str] = mapped_column(comment="As the package says it")
    published_at: Mapped[datetime] = mapped_column(server_default=func.now())


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


class Worker(Base):
    """A worker process that has signed and not signed off."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Name of the process among all")
    service: Mapped[str] = mapped_column(comment="Service that it belongs to")
    seen_at: Mapped[datetime] = mapped_column(comment="When it last signed")
    paused: Mapped[str | None] = mapped_column(
        comment="Trouble of its environment, for which it takes no jobs"
    )
    fault: Mapped[str | None] = mapped_column(comment="Why it cannot take jobs")
    queues: Mapped[list[Any]] = mapped_column(
        server_default="[]", comment="Names of the queues that it works on"
    )
