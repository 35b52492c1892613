"""Datasets: state, files, runs, timeline, spectrum."""

from typing import Any, Literal

from pydantic import Field

from services.monitor.response_models.common import ResponseModel, Timestamp
from services.monitor.response_models.files import FileRecord, FileReference

__all__ = [
    "DatasetDetail",
    "DatasetRecord",
    "DatasetRunRecord",
    "ForcedDataset",
    "SegmentSpectrumRecord",
    "SpectrumRecord",
    "Timeline",
    "TimelineEntry",
]

StageName = Literal["fetch", "calibrate", "ingest-raw", "ingest-products", "monitor", "recalibrate"]
"""Kind of work."""


class DatasetRecord(ResponseModel):
    """State of a dataset, and what is missing of it."""

    rootname: str
    kind: str = Field(description="association, exposure, acquisition, products, sms, ...")
    state: Literal[
        "discovered",
        "fetching",
        "fetched",
        "calibrating",
        "calibrated",
        "ingesting",
        "ingested",
        "skipped",
        "failed",
    ]
    reason: str | None = Field(description="Why it failed or was skipped")
    failed_stage: str | None = Field(description="Stage whose job failed")
    error_kind: str | None = Field(description="Kind of its error, e.g. permanent")
    members: list[str] = Field(description="Rootnames of the association's exposures")
    companions: list[str] = Field(description="Acquisitions of the same visit")
    missing: list[str] = Field(description="Names of files that belong to it and are not there")
    left_aside: dict[str, str] = Field(
        description="Exposures and files that look like its own and are not, and why"
    )
    complete: bool = Field(description="Whether nothing is missing")
    forced: bool = Field(description="Whether an operator let it through incomplete")
    created_at: Timestamp
    updated_at: Timestamp


class DatasetRunRecord(ResponseModel):
    """A run of CalCOS, good or failed, or products as the archive made them."""

    id: int
    job_id: int | None = Field(description="Null for products that somebody added")
    attempt: int = Field(description="Number of the job's attempt that it belongs to")
    kind: str = Field(description="calcos: a run here; archive: products as the archive made them")
    provenance: dict[str, Any] = Field(
        description="Of the archive's products: what the header of each file says of how it was "
        "made, by file name"
    )
    current: bool = Field(description="Whether its products are the current ones")
    calcos_version: str
    inputs: dict[str, str] = Field(description="SHA-256 of each input by file name")
    references: dict[str, Any] = Field(
        description="Keyword and SHA-256 of each reference by file name"
    )
    switches: dict[str, Any] = Field(description="Calibration switches by raw file name")
    randseeds: dict[str, Any] = Field(description="RANDSEED by raw file name")
    accepted_missing: list[str] = Field(
        description="Names of files that were missing, which an operator accepted"
    )
    warnings: list[str] = Field(description="Where the run is not what its headers say")
    exit_status: int | None = Field(description="What CalCOS returned; null if it did not return")
    signal: str | None = Field(description="Signal that ended it")
    error: str | None = Field(description="Why it failed; null for a good run")
    wall_seconds: float = Field(description="Duration, s")
    cpu_seconds: float = Field(description="CPU time, s")
    peak_rss_mb: float = Field(description="Largest memory, MB")
    trailer: str = Field(description="What CalCOS printed")
    created_at: Timestamp


class DatasetDetail(DatasetRecord):
    """A dataset with its current files and all its runs."""

    problems: list[str] = Field(description="What could not be read of its files")
    files: list[FileRecord] = Field(description="Current files")
    runs: list[DatasetRunRecord] = Field(description="Runs, newest first")


class TimelineEntry(ResponseModel):
    """An event, or the start of an attempt at a job."""

    at: Timestamp
    id: int | None = Field(
        description="Id of the event in the feed; null for an attempt, and until the event is there"
    )
    name: str = Field(description="Name of the event, or attempt.started")
    job_id: int | None
    detail: dict[str, Any] = Field(
        description="What belongs to the event; of an attempt its stage, attempt (number), worker, "
        "outcome, finished_at, error_kind and error"
    )


class Timeline(ResponseModel):
    """What happened to a dataset."""

    items: list[TimelineEntry] = Field(description="Oldest first")


class ForcedDataset(ResponseModel):
    """An incomplete dataset that an operator let through."""

    rootname: str
    accepted_missing: list[str] = Field(description="Names of the files that are missing")


class SegmentSpectrumRecord(ResponseModel):
    """Spectrum of a segment or stripe: arrays of one length."""

    segment: str = Field(description="Segment or stripe")
    wavelength: list[float | None] = Field(description="Wavelength, Angstrom")
    flux: list[float | None] = Field(description="Calibrated flux, erg / (s cm2 Angstrom)")
    error: list[float | None] = Field(description="Error of the flux, erg / (s cm2 Angstrom)")
    dq_wgt: list[float | None] = Field(description="Weight: 0 where the data quality forbids use")


class SpectrumRecord(ResponseModel):
    """Calibrated spectrum of a dataset or exposure."""

    rootname: str
    file: FileReference = Field(description="File that it was read from")
    units: dict[str, str] = Field(description="Unit of each array that has one")
    segments: list[SegmentSpectrumRecord]
