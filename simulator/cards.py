"""Headers from plain rows: keyword, value and comment."""

from collections.abc import Iterable

import numpy as np
from astropy.io import fits

__all__ = ["Card", "calendar", "day_of_year", "header_of"]

Card = tuple[str, str | int | float | bool, str]


def header_of(cards: Iterable[Card]) -> fits.Header:
    """Return the header with these cards in their order."""
    header = fits.Header()
    for keyword, value, comment in cards:
        header[keyword] = (value.item() if isinstance(value, np.generic) else value, comment)
    return header


def _moment(mjd: float) -> np.datetime64:
    """Return the nearest whole second."""
    return np.datetime64("1858-11-17T00:00:00") + np.timedelta64(round(mjd * 86400.0), "s")


def calendar(mjd: float) -> tuple[str, str]:
    """Return the date and time of an MJD as DATE-OBS and TIME-OBS have them.

    ``yyyy-mm-dd`` and ``hh:mm:ss``.
    """
    date, time = str(_moment(mjd)).split("T")
    return date, time


def day_of_year(mjd: float) -> str:
    """Return the time of an MJD as schedules and telemetry have it: ``yyyy.ddd:hh:mm:ss``."""
    moment = _moment(mjd)
    year = moment.astype("datetime64[Y]")
    day = (moment.astype("datetime64[D]") - year.astype("datetime64[D]")).astype(int) + 1
    return f"{year}.{day:03d}:{str(moment).split('T')[1]}"
