"""Datasets, their files and their runs."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base
from shared.database.enum_column import enum_column

__all__ = ["Dataset", "DatasetState", "File", "Run"]


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
        enum_column(DatasetState), default=DatasetState.DISCOVERED
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
    source: Mapped[str | None] = mapped_column(comment="URL of the source that it comes from")
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
    calibrates_as: Mapped[str | None] = mapped_column(
        comment="Checksum of the earlier delivery that calibration takes a raw file for, where it "
        "reads the same of both"
    )
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
