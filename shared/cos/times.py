"""Plausible times of COS: from its installation to tomorrow, whatever the source.

Rows with other times are kept as their files have them, but are never the newest and in no
statistic.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["FIRST_MJD", "UNIX_MJD", "date_text", "from_mjd", "is_believable", "now_mjd"]

FIRST_MJD = 54952.0
"""2009-05-01, MJD: servicing mission 4 installed COS on 2009-05-16 (COS Instrument Handbook,
chapter 1).
"""

UNIX_MJD = 40587.0
"""1970-01-01, MJD."""

_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
"""MJD 0."""


def now_mjd() -> float:
    """Return MJD of this moment."""
    return UNIX_MJD + datetime.now(UTC).timestamp() / 86400.0


def is_believable(mjd: ArrayLike) -> np.ndarray:
    """Return whether times, MJD, lie between the installation of COS and tomorrow; NaN does not."""
    days = np.asarray(mjd, dtype=np.float64)
    found: np.ndarray = (days >= FIRST_MJD) & (days <= now_mjd() + 1.0)
    return found


def from_mjd(mjd: float) -> datetime | None:
    """Return the moment of an MJD.

    None where no calendar has one (NaN, or beyond the years 1 to 9999).
    """
    try:
        return _EPOCH + timedelta(days=mjd)
    except (OverflowError, ValueError):
        return None


def date_text(mjd: float | None) -> str:
    """Return the date of an MJD for a reader.

    The number itself where it is no date, and nothing where there is none.
    """
    if mjd is None:
        return ""
    moment = from_mjd(mjd)
    return f"MJD {mjd:g}" if moment is None else moment.strftime("%Y-%m-%d")
