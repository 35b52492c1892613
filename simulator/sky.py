"""Around the orbit: the Sun, day and night, the South Atlantic Anomaly and the solar cycle."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.cos.saa import saa_contour
from simulator.orbit import Orbit, gmst

__all__ = [
    "in_saa",
    "is_day",
    "moon_direction",
    "saa_distance",
    "solar_flux",
    "subsolar",
    "sun_altitude",
    "sun_direction",
]

Floats = NDArray[np.float64]

_EARTH_RADIUS = 6371.0
"""Mean radius in km, for distances on the ground."""
_EARTH_RADIUS_EQUATOR = 6378.137

_SOLAR_CYCLE = (
    (54800.0, 69.0),
    (55560.0, 85.0),
    (55850.0, 130.0),
    (56400.0, 120.0),
    (56760.0, 146.0),
    (57200.0, 125.0),
    (57700.0, 83.0),
    (58100.0, 73.0),
    (58820.0, 69.5),
    (59400.0, 80.0),
    (59850.0, 135.0),
    (60250.0, 165.0),
    (60600.0, 200.0),
    (61000.0, 170.0),
    (62000.0, 95.0),
    (62800.0, 70.0),
)
"""MJD and smoothed F10.7 in solar flux units: cycles 24 and 25 as NOAA's smoothed indices run
(minima of December 2008 and December 2019, maxima of April 2014 and late 2024), and a usual decline
afterwards."""


def sun_direction(mjd: ArrayLike) -> tuple[Floats, Floats]:
    """Return the apparent right ascension and declination of the Sun in degrees, good to 0.01
    degree.

    Source: Astronomical Almanac, section C, low-precision formulae.
    """
    days = np.asarray(mjd, dtype=np.float64) - 51544.5
    mean = np.radians(280.460 + 0.9856474 * days)
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = mean + np.radians(1.915 * np.sin(anomaly) + 0.020 * np.sin(2.0 * anomaly))
    obliquity = np.radians(23.439 - 4.0e-7 * days)
    ra = np.degrees(np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))) % 360.0
    return ra, np.degrees(np.arcsin(np.sin(obliquity) * np.sin(longitude)))


def moon_direction(mjd: ArrayLike) -> tuple[Floats, Floats]:
    """Return the right ascension and declination of the Moon in degrees, good to half a degree.

    Source: Astronomical Almanac, section D, low-precision formulae, their largest terms.
    """
    centuries = (np.asarray(mjd, dtype=np.float64) - 51544.5) / 36525.0

    def wave(amplitude: float, phase: float, rate: float) -> Floats:
        return np.asarray(
            amplitude * np.sin(np.radians(phase + rate * centuries)), dtype=np.float64
        )

    longitude = (
        218.32
        + 481267.881 * centuries
        + wave(6.29, 135.0, 477198.87)
        - wave(1.27, 259.3, -413335.36)
    )
    longitude = (
        longitude
        + wave(0.66, 235.7, 890534.22)
        + wave(0.21, 269.9, 954397.74)
        - wave(0.19, 357.5, 35999.05)
    )
    lam = np.radians(longitude)
    beta = np.radians(
        wave(5.13, 93.3, 483202.02) + wave(0.28, 228.2, 960400.89) - wave(0.28, 318.3, 6003.15)
    )
    obliquity = np.radians(23.439)
    x, y, z = np.cos(beta) * np.cos(lam), np.cos(beta) * np.sin(lam), np.sin(beta)
    ra = np.degrees(np.arctan2(y * np.cos(obliquity) - z * np.sin(obliquity), x)) % 360.0
    return ra, np.degrees(np.arcsin(y * np.sin(obliquity) + z * np.cos(obliquity)))


def subsolar(mjd: ArrayLike) -> tuple[Floats, Floats]:
    """Return the latitude and east longitude (0 to 360) in degrees of the point below the Sun."""
    ra, dec = sun_direction(mjd)
    return dec, (ra - 360.0 * gmst(mjd)) % 360.0


def sun_altitude(orbit: Orbit, mjd: ArrayLike) -> Floats:
    """Return the altitude of the Sun above the Earth's limb in degrees, as SUN_ALT of the timeline
    and of raw headers.

    The limb lies below HST's horizon plane (``calcos.timeline.computeAlt``).
    """
    position = orbit.position(mjd)
    distance = np.linalg.norm(position, axis=-1)
    a, d = (np.radians(angle) for angle in sun_direction(mjd))
    sun = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)
    above = np.arcsin(np.sum(position * sun, axis=-1) / distance)
    dip = np.arccos(_EARTH_RADIUS_EQUATOR / distance)
    return np.asarray(np.degrees(above + dip), dtype=np.float64)


def is_day(orbit: Orbit, mjd: ArrayLike) -> NDArray[np.bool_]:
    """Return whether HST is in sunlight."""
    return np.asarray(sun_altitude(orbit, mjd) > 0.0, dtype=np.bool_)


def in_saa(mjd: float, latitude: ArrayLike, longitude: ArrayLike) -> NDArray[np.bool_]:
    """Return whether points (degrees, east longitude) lie in the South Atlantic Anomaly at an
    MJD.
    """
    lat, lon = np.broadcast_arrays(
        np.asarray(latitude, dtype=np.float64), np.asarray(longitude, dtype=np.float64)
    )
    return _inside(saa_contour(mjd), lat, np.where(lon > 180.0, lon - 360.0, lon))


def saa_distance(mjd: float, latitude: ArrayLike, longitude: ArrayLike) -> Floats:
    """Return the distance on the ground to the edge of the South Atlantic Anomaly.

    Parameters
    ----------
    mjd
        Time, MJD UTC, that chooses the contour.
    latitude, longitude
        Points in degrees, of one shape; longitude east.

    Returns
    -------
    NDArray
        Great-circle distance in km to the nearest edge, negative inside.
    """
    corners = saa_contour(mjd)
    lat, lon = np.broadcast_arrays(
        np.asarray(latitude, dtype=np.float64), np.asarray(longitude, dtype=np.float64)
    )
    lon = np.where(lon > 180.0, lon - 360.0, lon)
    fraction = np.linspace(0.0, 1.0, 41)[:, None, None]
    following = np.roll(corners, -1, axis=0)
    edge = (corners + fraction * (following - corners)).reshape(-1, 2)
    first, second = np.radians(lat)[..., None], np.radians(edge[:, 0])
    apart = np.radians(lon)[..., None] - np.radians(edge[:, 1])
    haversine = (
        np.sin((first - second) / 2.0) ** 2
        + np.cos(first) * np.cos(second) * np.sin(apart / 2.0) ** 2
    )
    nearest = 2.0 * _EARTH_RADIUS * np.arcsin(np.sqrt(haversine.min(axis=-1)))
    return np.asarray(np.where(_inside(corners, lat, lon), -nearest, nearest), dtype=np.float64)


def _inside(corners: Floats, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
    """Return whether points lie in a polygon.

    A ray to the east crosses its edges an odd number of times.
    """
    inside = np.zeros(lat.shape, dtype=np.bool_)
    for (lat1, lon1), (lat2, lon2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if lat1 == lat2:
            continue
        crossing = lon1 + (lat - lat1) / (lat2 - lat1) * (lon2 - lon1)
        inside ^= ((lat1 > lat) != (lat2 > lat)) & (lon < crossing)
    return inside


def solar_flux(mjd: ArrayLike) -> Floats:
    """Return the smoothed F10.7 in solar flux units (1e-22 W / m2 / Hz)."""
    times, flux = np.asarray(_SOLAR_CYCLE).T
    return np.asarray(np.interp(np.asarray(mjd, dtype=np.float64), times, flux), dtype=np.float64)
