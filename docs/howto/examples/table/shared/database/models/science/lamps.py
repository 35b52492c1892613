"""Lamps of the instrument."""

from sqlalchemy.orm import Mapped

from shared.database.models.science.base import ScienceRow, double, moment, text

__all__ = ["LampUse"]


class LampUse(ScienceRow):
    """Lamp of an exposure."""

    __tablename__ = "lamp_use"

    expstart: Mapped[float | None] = moment("EXPSTART: start of the exposure, MJD UTC")
    lamp: Mapped[str | None] = text("LAMPUSED: lamp that was lit", keyword="LAMPUSED")
    current: Mapped[str | None] = text("LAMPSET: its current", keyword="LAMPSET")
    exptime: Mapped[float | None] = double("EXPTIME", "s")
