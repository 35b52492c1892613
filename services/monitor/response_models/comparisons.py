"""Two runs of a dataset compared."""

from typing import Any

from pydantic import Field

from services.monitor.response_models.common import ResponseModel
from services.monitor.response_models.files import FileReference

__all__ = ["ComparisonRecord", "HeaderDifference", "SegmentComparison", "SegmentTotals"]

_Values = list[float | None]
_PAIR: dict[str, Any] = {"min_length": 2, "max_length": 2}


class SegmentTotals(ResponseModel):
    """Sums over the points of a segment that count, in one run."""

    gcounts: float | None = Field(None, description="Counts; left out where there are none")
    net: float | None = Field(None, description="Net rate, count/s")
    background: float | None = Field(None, description="Background rate, count/s")
    good_points: int = Field(description="Points with a weight above 0")
    flags: dict[str, int] = Field(description="Points by data quality flag")


class SegmentComparison(ResponseModel):
    """A segment in both runs; arrays are on the wavelengths of the first one."""

    segment: str = Field(description="Segment or stripe")
    wavelength: _Values = Field(description="Wavelength, Angstrom")
    flux: list[_Values] = Field(description="Fluxes of both runs, erg / (s cm2 Angstrom)", **_PAIR)
    error: list[_Values] = Field(description="Their errors, erg / (s cm2 Angstrom)", **_PAIR)
    ratio: _Values = Field(description="Second flux by the first; null where one is excluded")
    ratio_error: _Values = Field(
        description="Its error: an upper limit, since the photons are the same"
    )
    mean_ratio: float | None = Field(description="Ratio of the summed fluxes")
    mean_ratio_error: float | None = Field(description="Its error")
    points: int = Field(description="Points that have a ratio")
    totals: list[SegmentTotals] = Field(description="Sums of both runs", **_PAIR)


class HeaderDifference(ResponseModel):
    """A header card that differs."""

    extension: int = Field(description="Number of the extension; 0 is the primary header")
    keyword: str
    first: Any = Field(description="Value in the first run; null where it has none")
    second: Any = Field(description="Value in the second run; null where it has none")


class ComparisonRecord(ResponseModel):
    """What differs between two runs of a dataset."""

    rootname: str
    files: list[FileReference] = Field(description="The product of each run", **_PAIR)
    warnings: list[list[str]] = Field(
        description="Where each of the runs is not what its headers say", **_PAIR
    )
    units: dict[str, str] = Field(description="Unit of each array that has one")
    segments: list[SegmentComparison] = Field(description="Segments that both products have")
    only_in_one: list[str] = Field(description="Segments that one of the products has alone")
    headers: list[HeaderDifference] = Field(description="Header cards that differ")
