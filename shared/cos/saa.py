"""The contour of the South Atlantic Anomaly within which COS takes no data, and the distance to it.

Source: models 31 and 32 (COS FUV and NUV) as in costools ``saamodel`` and, with their dates, in
acdc-hst.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["saa_contour", "saa_distance"]

Floats = NDArray[np.float64]

_FIRST = (
    (-28.3, 14.0),
    (-27.5, 15.0),
    (-26.1, 13.0),
    (-19.8, 1.5),
    (-9.6, 341.0),
    (-7.6, 330.4),
    (-6.0, 318.8),
    (-7.9, 297.2),
    (-12.0, 286.1),
    (-17.1, 279.9),
    (-20.3, 277.5),
    (-23.5, 276.5),
    (-26.0, 276.4),
    (-28.6, 276.7),
)
_SECOND = (
    (-28.3, 14.0),
    (-27.5, 15.0),
    (-26.1, 13.0),
    (-19.8, 1.5),
    (-9.6, 341.0),
    (-5.5, 330.4),
    (-3.5, 318.8),
    (-3.8, 308.0),
    (-6.2, 295.5),
    (-10.5, 285.6),
    (-16.0, 279.5),
    (-20.3, 277.3),
    (-23.5, 276.5),
    (-26.0, 276.4),
    (-28.6, 276.7),
)
_THIRD = (
    (-29.0, 14.0),
    (-27.5, 15.0),
    (-26.1, 13.0),
    (-19.8, 1.5),
    (-9.6, 341.0),
    (-5.5, 330.4),
    (-3.4, 318.8),
    (-3.6, 308.0),
    (-5.3, 295.4),
    (-9.6, 284.8),
    (-15.0, 278.4),
    (-20.3, 276.4),
    (-23.5, 276.1),
    (-26.0, 276.0),
    (-29.0, 276.4),
)
_CONTOURS = (
    (-np.inf, tuple((latitude, longitude + 6.0) for latitude, longitude in _FIRST)),
    (55329.0, _FIRST),
    (55873.0, _SECOND),
    (58732.0, _THIRD),
)
"""First MJD, and vertices (latitude, longitude East in degrees).

The first contour lay 6 degrees further east.
"""

_EARTH_RADIUS = 6371.0
_STEPS = 500
"""Points by which an edge is drawn for the distance.

On the longest, of 9500 km, they are 19 km apart: the distance is
right to 10 km at the edge and to 0.5 km at 100 km."""


def saa_contour(mjd: float) -> Floats:
    """Return the contour in force at a time.

    Parameters
    ----------
    mjd
        Time, MJD UTC.

    Returns
    -------
    ndarray
        Vertices, shape (n, 2): latitude and longitude in degrees; longitudes run from -180 to 180.
    """
    vertices = np.array(next(points for start, points in reversed(_CONTOURS) if mjd >= start))
    vertices[:, 1] = _unwrapped(vertices[:, 1])
    return vertices


def _unwrapped(longitude: Floats) -> Floats:
    return np.asarray((np.asarray(longitude, dtype=np.float64) + 180.0) % 360.0 - 180.0)


@lru_cache(maxsize=8)
def _outline(start: float) -> Floats:
    vertices = saa_contour(start)
    ends = np.roll(vertices, -1, axis=0)
    parts = np.linspace(0.0, 1.0, _STEPS, endpoint=False)[:, None, None]
    return np.asarray((vertices + parts * (ends - vertices)).reshape(-1, 2))


def saa_distance(latitude: Floats, longitude: Floats, mjd: float) -> Floats:
    """Return the great-circle distance to the nearest edge of the contour, in km.

    Negative inside it.

    Parameters
    ----------
    latitude, longitude
        Positions in degrees, 1-D.
    mjd
        Time that says which contour was in force.
    """
    latitude, longitude = np.asarray(latitude, dtype=np.float64), _unwrapped(longitude)
    outline = np.radians(_outline(next(start for start, _ in reversed(_CONTOURS) if mjd >= start)))
    here = np.radians(np.stack([latitude, longitude], axis=-1))[:, None, :]
    squared = (
        np.sin((outline[:, 0] - here[..., 0]) / 2) ** 2
        + np.cos(outline[:, 0])
        * np.cos(here[..., 0])
        * np.sin((outline[:, 1] - here[..., 1]) / 2) ** 2
    )
    distance = 2 * _EARTH_RADIUS * np.arcsin(np.sqrt(squared.min(axis=1)))
    return np.asarray(np.where(_inside(latitude, longitude, saa_contour(mjd)), -distance, distance))


def _inside(latitude: Floats, longitude: Floats, vertices: Floats) -> NDArray[np.bool_]:
    """Return whether positions are in a polygon, by the number of edges that a line to the south
    crosses.
    """
    inside = np.zeros(latitude.shape, dtype=bool)
    for (lat1, lon1), (lat2, lon2) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        if lon1 == lon2:
            continue
        spans = (lon1 > longitude) != (lon2 > longitude)
        inside ^= spans & (latitude > lat1 + (longitude - lon1) * (lat2 - lat1) / (lon2 - lon1))
    return inside
