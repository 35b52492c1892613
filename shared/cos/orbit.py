"""Ground position of HST from the orbit elements of a support file, and the sub-solar point.

Source: the equations of CalCOS 3.6.2 (``orbit.py``), turned to the equinox of the jitter tables;
the Sun after the low-precision formula of the Astronomical Almanac (section C), good to 0.01
degree.
"""

from collections.abc import Mapping
from typing import Any, Final

import erfa
import numpy as np
from numpy.typing import NDArray

from shared.errors import PermanentError

__all__ = ["ELEMENTS", "equinox_of_2000", "ground_position", "sidereal_time", "subsolar_point"]

Floats = NDArray[np.float64]

ELEMENTS: Final = (
    "ARGPERIG",
    "COSINCLI",
    "ECBDX3",
    "ECBDX4D3",
    "ECCENTRY",
    "ECCENTX2",
    "EPCHTIME",
    "ESQDX5D2",
    "FDMEANAN",
    "MEANANOM",
    "RASCASCN",
    "RCARGPER",
    "RCASCNRV",
    "SDMEANAN",
    "SEMILREC",
    "SINEINCL",
)
"""Keywords of a support file that its orbit model needs: angles in revolutions but MEANANOM in
radians, EPCHTIME in seconds since 1985-01-01, rates per second, SEMILREC in metres."""

_JULIAN = 2400000.5
"""Julian date of MJD 0."""
_MJD_1985 = 46066.0
_MJD_2000 = 51544.5
_CENTURY = 36525.0
_DAY = 86400.0
_TURN = 2.0 * np.pi


def ground_position(elements: Mapping[str, Any], mjd: Floats) -> tuple[Floats, Floats]:
    """Return the latitude and longitude (degrees; East, 0 to 360) below HST, as its jitter tables
    give them.

    They agree to 0.02 degree of latitude and 0.05 of longitude with the rows of jitter tables, each
    of which stands for the 3 s that end with it.

    Parameters
    ----------
    elements
        Primary header of a support file.
    mjd
        Times, MJD UTC.

    Raises
    ------
    PermanentError
        If an element is missing or no number.
    """
    values = {name: elements.get(name) for name in ELEMENTS}
    wrong = [
        name
        for name, value in values.items()
        if isinstance(value, bool) or not isinstance(value, int | float)
    ]
    if wrong:
        raise PermanentError(
            f"no orbit without {', '.join(wrong)} in the support file's primary header"
        )
    orbit = {name: float(value) for name, value in values.items() if value is not None}
    elapsed = (np.asarray(mjd, dtype=np.float64) - _MJD_1985) * _DAY - orbit["EPCHTIME"]
    mean = orbit["MEANANOM"] + _TURN * (
        orbit["FDMEANAN"] * elapsed + 0.5 * orbit["SDMEANAN"] * elapsed**2
    )
    sine, cosine = np.sin(mean), np.cos(mean)
    true = mean + sine * (
        orbit["ECCENTX2"]
        + orbit["ECBDX3"] * cosine**2
        - orbit["ECBDX4D3"] * sine**2
        + orbit["ESQDX5D2"] * cosine
    )
    argument = _TURN * (orbit["ARGPERIG"] + orbit["RCARGPER"] * elapsed) + true
    node = _TURN * (orbit["RASCASCN"] + orbit["RCASCNRV"] * elapsed)
    # The radius cancels: only the direction is asked for.
    x = np.cos(node) * np.cos(argument) - orbit["COSINCLI"] * np.sin(node) * np.sin(argument)
    y = np.sin(node) * np.cos(argument) + orbit["COSINCLI"] * np.cos(node) * np.sin(argument)
    z = orbit["SINEINCL"] * np.sin(argument)
    return _below(np.array([x, y, z]), mjd)


def equinox_of_2000(latitude: Floats, longitude: Floats, mjd: Floats) -> tuple[Floats, Floats]:
    """Turn positions as CalCOS gives them, of the equinox of date, to the equinox of the jitter
    tables, that of 2000.

    It moves them by up to 0.14 degree of latitude and 0.4 of longitude.

    Parameters
    ----------
    latitude, longitude
        Degrees, of one exposure.
    mjd
        Their times, MJD UTC.
    """
    north, right_ascension = (
        np.radians(latitude),
        np.radians(longitude) + _TURN * sidereal_time(mjd),
    )
    level = np.cos(north)
    return _below(
        np.array([level * np.cos(right_ascension), level * np.sin(right_ascension), np.sin(north)]),
        mjd,
    )


def _below(direction: Floats, mjd: Floats) -> tuple[Floats, Floats]:
    """Return the latitude and longitude of directions (3, N) from the Earth's centre in the equinox
    of date.
    """
    of_date = erfa.pmat76(_JULIAN, np.mean(mjd))  # changes by 1e-6 degree in a day
    x, y, z = of_date.T @ direction
    latitude = np.degrees(np.arctan2(z, np.hypot(x, y)))
    longitude = np.degrees(np.arctan2(y, x)) - 360.0 * sidereal_time(mjd)
    return latitude, longitude % 360.0


def sidereal_time(mjd: Floats) -> Floats:
    """Return the Greenwich mean sidereal time as a fraction of a day.

    Parameters
    ----------
    mjd
        Times, MJD UTC.
    """
    times = np.asarray(mjd, dtype=np.float64)
    midnight = np.floor(times)
    centuries = (midnight - _MJD_2000) / _CENTURY
    at_midnight = 24110.54841 + centuries * (
        8640184.812866 + centuries * (0.093104 - 6.2e-6 * centuries)
    )
    century = (times - _MJD_2000) / _CENTURY
    rate = 1.002737909350795 + century * (5.9006e-11 - 5.9e-15 * century)
    return np.asarray((at_midnight / _DAY + (times - midnight) * rate) % 1.0)


def subsolar_point(mjd: Floats) -> tuple[Floats, Floats]:
    """Return the latitude and longitude (degrees; East, 0 to 360) where the Sun is in the zenith.

    Parameters
    ----------
    mjd
        Times, MJD UTC.
    """
    days = np.asarray(mjd, dtype=np.float64) - _MJD_2000
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = np.radians(357.528 + 0.9856003 * days)
    ecliptic = np.radians(mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2.0 * anomaly))
    obliquity = np.radians(23.439 - 4.0e-7 * days)
    right_ascension = np.degrees(np.arctan2(np.cos(obliquity) * np.sin(ecliptic), np.cos(ecliptic)))
    latitude = np.degrees(np.arcsin(np.sin(obliquity) * np.sin(ecliptic)))
    return latitude, (right_ascension - 360.0 * sidereal_time(mjd)) % 360.0
