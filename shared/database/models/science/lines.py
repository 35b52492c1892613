"""Positions of spectral lines whose wavelengths are known."""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from shared.database.models.science.base import ScienceRow, double, integer, moment, text

__all__ = ["LinePosition"]


class LinePosition(ScienceRow):
    """One line of the lamp, or of a standard, in one segment or stripe of an exposure."""

    __tablename__ = "line_positions"
    __table_args__ = (
        Index(
            "ix_line_positions_setting",
            "opt_elem",
            "cenwave",
            "date",
            info={"purpose": "history of a setting"},
        ),
    )

    date: Mapped[float | None] = moment("EXPSTART of the exposure, MJD UTC", keyword="EXPSTART")
    proposid: Mapped[int | None] = integer("PROPOSID: proposal")
    detector: Mapped[str | None] = text("DETECTOR")
    segment: Mapped[str | None] = text("Segment or stripe")
    opt_elem: Mapped[str | None] = text("OPT_ELEM")
    cenwave: Mapped[int | None] = integer("CENWAVE", "Angstrom")
    fppos: Mapped[int | None] = integer("FPPOS")
    life_adj: Mapped[int | None] = integer(
        "LIFE_ADJ: lifetime position; -1 is non-standard", missing=(-999,)
    )
    aperture: Mapped[str | None] = text("APERTURE of a target; WCA of the lamp")
    source: Mapped[str | None] = text("lamp, or TARGNAME")
    catalogue: Mapped[float | None] = double("Wavelength that the line list has", "Angstrom")
    measured: Mapped[float | None] = double(
        "Wavelength at which the line lies; of several flashes the mean by their counts", "Angstrom"
    )
    error: Mapped[float | None] = double("One-sigma error of measured, by the counts", "Angstrom")
    dispersion: Mapped[float | None] = double("Wavelength per pixel there", "Angstrom / pix")
    position: Mapped[float | None] = double("Where it lies in the spectrum, from 0", "pix")
    counts: Mapped[float | None] = double(
        "Counts of the line above the continuum, or that it lacks below it", "count"
    )
    disptab: Mapped[str | None] = text("DISPTAB: dispersion relation")
