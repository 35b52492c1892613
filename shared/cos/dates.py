"""Dates as COS data write them."""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from shared.errors import PermanentError

__all__ = ["decimal_year", "mjd_of_year", "parse_day_of_year"]

_DAY_OF_YEAR = re.compile(r"(\d{4})\.(\d{3}):(\d{2}):(\d{2}):(\d{2})")
_MJD_UNIX = 40587.0


def parse_day_of_year(text: str) -> float:
    """MJD of a date as schedules and telemetry write it, ``yyyy.ddd:hh:mm:ss``, the day counted from 1.

    Raises
    ------
    PermanentError
        If it is no such date.
    """
    match = _DAY_OF_YEAR.fullmatch(text.strip())
    if match is None:
        raise PermanentError(f"{text!r} is no date of the form yyyy.ddd:hh:mm:ss")
    year, day, hour, minute, second = map(int, match.groups())
    if not 1 <= year <= 9999 or not 1 <= day <= 366 or hour > 23 or minute > 59 or second > 60:
        raise PermanentError(f"{text!r} is no date of the form yyyy.ddd:hh:mm:ss")
    start = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day - 1)
    return _MJD_UNIX + start.timestamp() / 86400.0 + (hour * 3600 + minute * 60 + second) / 86400.0


def decimal_year(mjd: NDArray[np.float64]) -> NDArray[np.float64]:
    """Calendar years with their fraction: days since 1 January over the length of that year.

    Parameters
    ----------
    mjd
        Times, MJD UTC.
    """
    days = np.asarray(mjd, dtype=np.float64) - _MJD_UNIX
    years = days.astype("datetime64[D]").astype("datetime64[Y]")
    first = years.astype("datetime64[D]").astype(np.float64)
    length = (years + 1).astype("datetime64[D]").astype(np.float64) - first
    return years.astype(np.float64) + 1970 + (days - first) / length


def mjd_of_year(year: NDArray[np.float64]) -> NDArray[np.float64]:
    """MJD of calendar years with their fraction: the inverse of `decimal_year`.

    Parameters
    ----------
    year
        Decimal years.
    """
    whole = np.floor(np.asarray(year, dtype=np.float64))
    years = (whole - 1970).astype("datetime64[Y]")
    first = years.astype("datetime64[D]").astype(np.float64)
    length = (years + 1).astype("datetime64[D]").astype(np.float64) - first
    return np.asarray(_MJD_UNIX + first + (year - whole) * length)
