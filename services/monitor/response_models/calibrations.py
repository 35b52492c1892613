"""Recalibrations: what was asked for, what it changed, what came out."""

from typing import Any, Literal

from pydantic import Field

from services.monitor.response_models.common import ResponseModel, Timestamp
from services.monitor.response_models.files import RunFileRecord
from services.monitor.response_models.tables import ColumnDescription

__all__ = [
    "CalibrationDetail",
    "CalibrationRecord",
    "CancelledCalibration",
    "LightCurvePoint",
    "LightCurveRecord",
    "PromotedCalibration",
]


class CalibrationRecord(ResponseModel):
    """A recipe on a dataset, or the list of what it changes (dry run)."""

    rootname: str
    id: int
    job_id: int
    run_id: int | None = Field(description="Its good run; null before that and for a dry run")
    recipe: dict[str, Any] = Field(description="Recipe, in its canonical form")
    dry_run: bool = Field(description="Whether only the changes are listed")
    requested_by: str = Field(description="Name of the token")
    changes: list[dict[str, Any]] = Field(
        description="Changes to headers and tables, each with its kind (change), its file and a "
        "text"
    )
    references: dict[str, Any] = Field(
        description="Keyword and SHA-256 of each reference by file name"
    )
    warnings: list[str] = Field(description="Where the run is not what it seems")
    state: Literal["queued", "running", "done", "failed", "cancelled", "superseded"]
    error: str | None = Field(description="Why it failed")
    error_kind: str | None = Field(description="Kind of the error, e.g. refused")
    promoted_by: str | None = Field(description="Name of the token")
    created_at: Timestamp
    finished_at: Timestamp | None
    promoted_at: Timestamp | None = Field(description="When its products became the current ones")


class CalibrationDetail(CalibrationRecord):
    """A recalibration with the files of its run."""

    files: list[RunFileRecord]


class CancelledCalibration(ResponseModel):
    """A recalibration that was stopped."""

    cancelled: int = Field(description="Number of the recalibration")


class PromotedCalibration(ResponseModel):
    """A recalibration whose products are the current ones now."""

    promoted: int = Field(description="Number of the recalibration")
    rootname: str


class LightCurvePoint(ResponseModel):
    """A sub-exposure in one segment."""

    part: str = Field(description="Sub-exposure; its files begin so")
    exposure: str = Field(description="Exposure that it is a part of")
    segment: str = Field(description="Segment or stripe")
    mjd: float | None = Field(description="Middle of its good times, MJD")
    start: float | None = Field(description="First good time since EXPSTART, s")
    stop: float | None = Field(description="Last good time since EXPSTART, s")
    exptime: float | None = Field(description="Exposure time, s")
    counts: float | None = Field(description="Counts in the extracted region")
    net: float | None = Field(description="Rate of the source, count/s")
    net_error: float | None = Field(description="Its error (Poisson), count/s")
    background: float | None = Field(description="Rate of the background, count/s")
    flux: float | None = Field(
        description="Mean flux, weighted by the sensitivity, erg / (s cm2 Angstrom)"
    )
    flux_error: float | None = Field(description="Its error, erg / (s cm2 Angstrom)")
    points: int | None = Field(description="Points of the spectrum that are added up")


class LightCurveRecord(ResponseModel):
    """Light curve of a recalibration's sub-exposures."""

    rootname: str
    calibration: int = Field(description="Number of the recalibration")
    columns: list[ColumnDescription]
    items: list[LightCurvePoint] = Field(description="A row for each sub-exposure and segment")
