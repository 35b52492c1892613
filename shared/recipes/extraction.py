"""Numbers of the extraction tables that a recipe may set.

Rows of the active table get them in a copy of it.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from shared.recipes.document import Document

__all__ = ["ROWS", "ZONES", "Boxcar", "Extraction", "TwoZone"]

ROWS = 1024
"""Rows of both detectors, pixel."""

_Row = Annotated[float, Field(ge=0, lt=ROWS)]
_Height = Annotated[int, Field(ge=1, lt=ROWS)]
_Fraction = Annotated[float, Field(ge=0, le=1)]
_Segment = Literal["all", "FUVA", "FUVB", "NUVA", "NUVB", "NUVC"]
ZONES = ("LOWER_OUTER", "LOWER_INNER", "UPPER_INNER", "UPPER_OUTER")
"""Zone boundaries of a TWOZXTAB row, which ascend."""


class _Numbers(Document):
    """Columns of one row; those that are left out keep the values of the active table."""

    B_SPEC: _Row | None = Field(None, description="Row of the spectrum's centre, pixel")
    B_BKG1: _Row | None = Field(
        None, description="Row of the centre of the first background region, pixel"
    )
    B_BKG2: _Row | None = Field(
        None, description="Row of the centre of the second background region, pixel"
    )
    B_HGT1: _Height | None = Field(None, description="Height of the first background region, pixel")
    B_HGT2: _Height | None = Field(
        None, description="Height of the second background region, pixel"
    )
    BHEIGHT: _Height | None = Field(None, description="Height of both background regions, pixel")
    BWIDTH: _Height | None = Field(
        None, description="Width over which the background is smoothed, pixel"
    )

    def numbers(self) -> dict[str, Any]:
        """Return the columns that are set."""
        return self.model_dump(exclude_none=True)


class TwoZone(_Numbers):
    """Columns of a TWOZXTAB row.

    The zone boundaries are fractions of the enclosed energy; 0 and 1 stand for the edges of the
    profile.
    """

    HEIGHT: _Height | None = Field(None, description="Height of the region, pixel")
    LOWER_OUTER: _Fraction | None = Field(
        None, description="Lower edge of the outer zone, fraction of the energy"
    )
    LOWER_INNER: _Fraction | None = Field(
        None, description="Lower edge of the inner zone, fraction of the energy"
    )
    UPPER_INNER: _Fraction | None = Field(
        None, description="Upper edge of the inner zone, fraction of the energy"
    )
    UPPER_OUTER: _Fraction | None = Field(
        None, description="Upper edge of the outer zone, fraction of the energy"
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        given = [value for name in ZONES if (value := getattr(self, name)) is not None]
        if given != sorted(given):
            raise ValueError(f"the zone boundaries must ascend: {' <= '.join(ZONES)}")
        return self


class Boxcar(_Numbers):
    """Columns of an XTRACTAB row."""

    HEIGHT: _Height | None = Field(None, description="Height of the extraction box, pixel, odd")
    SLOPE: float | None = Field(
        None, ge=-0.1, le=0.1, description="Slope of the spectrum, row per column"
    )

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.HEIGHT is not None and self.HEIGHT % 2 == 0:
            raise ValueError("HEIGHT of a box must be odd, so that the box has a middle row")
        return self


class Extraction(Document):
    """Numbers by segment or stripe; ``all`` stands for those that are not named."""

    twozone: dict[_Segment, TwoZone] = Field(
        default_factory=dict, description="For XTRCTALG=TWOZONE"
    )
    boxcar: dict[_Segment, Boxcar] = Field(default_factory=dict, description="For XTRCTALG=BOXCAR")

    def numbers(self, algorithm: str, segment: str) -> dict[str, Any]:
        """Return the columns to set in the row of a segment.

        Parameters
        ----------
        algorithm
            BOXCAR or TWOZONE.
        segment
            FUVA, FUVB, NUVA, NUVB or NUVC.
        """
        table: dict[Any, _Numbers] = dict(self.twozone if algorithm == "TWOZONE" else self.boxcar)
        chosen = table.get(segment) or table.get("all")
        return chosen.numbers() if chosen else {}
