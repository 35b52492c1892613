"""Dates as COS data write them."""

import re
from calendar import isleap
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from shared.cos.times import UNIX_MJD
from shared.errors import PermanentError

__all__ = ["decimal_year", "mjd_of_year", "parse_day_of_year"]

_DAY_OF_YEAR = re.compile(r"(\d{4})\.(\d{3}):(\d{2}):(\d{2}):(\d{2})")
_YEARS = (1.0, 9999.0)
"""Decimal years that calendars know."""


def parse_day_of_year(text: str) -> float:
    """Return MJD of a date as schedules and telemetry write it, ``yyyy.ddd:hh:mm:ss``, the day
    counted from 1.

    Raises
    ------
    PermanentError
        If it is no such date.
    """
    match = _DAY_OF_YEAR.fullmatch(text.strip())
    if match is None:
        raise PermanentError(f"{text!r} is not a date of the form yyyy.ddd:hh:mm:ss")
    year, day, hour, minute, second = map(int, match.groups())
    if not 1 <= year <= 9998 or hour > 23 or minute > 59 or second > 60:
        raise PermanentError(f"{text!r} is not a date of the form yyyy.ddd:hh:mm:ss")
    if not 1 <= day <= 365 + isleap(year):
        raise PermanentError(f"{text!r} is not a date: {year} has {365 + isleap(year)} days")
    start = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day - 1)
    return UNIX_MJD + start.timestamp() / 86400.0 + (hour * 3600 + minute * 60 + second) / 86400.0


def decimal_year(mjd: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the calendar years with their fraction.

    Days since 1 January over the length of that year.

    Parameters
    ----------
    mjd
        Times, MJD UTC; NaN comes of those that lie in none of the years 1 to 9998.
    """
    days = np.asarray(mjd, dtype=np.float64) - UNIX_MJD
    known = (days >= _day_of(np.array(_YEARS[0]))) & (days < _day_of(np.array(_YEARS[1])))
    days = np.where(known, days, 0.0)
    years = days.astype("datetime64[D]").astype("datetime64[Y]")
    first = years.astype("datetime64[D]").astype(np.float64)
    length = (years + 1).astype("datetime64[D]").astype(np.float64) - first
    return np.where(known, years.astype(np.float64) + 1970 + (days - first) / length, np.nan)


def mjd_of_year(year: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return MJD of calendar years with their fraction: the inverse of `decimal_year`.

    Parameters
    ----------
    year
        Decimal years; NaN comes of those that are none of 1 to 9998.
    """
    year = np.asarray(year, dtype=np.float64)
    known = (year >= _YEARS[0]) & (year < _YEARS[1])
    year = np.where(known, year, 1970.0)
    whole = np.floor(year)
    first = _day_of(whole)
    return np.where(known, UNIX_MJD + first + (year - whole) * (_day_of(whole + 1) - first), np.nan)


def _day_of(year: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the days from 1970-01-01 to 1 January of whole years."""
    days: NDArray[np.float64] = (
        (year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.float64)
    )
    return days
