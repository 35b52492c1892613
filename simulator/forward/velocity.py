"""Velocities between a target, the Sun, the Earth and HST."""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.state import Viewing

__all__ = ["LIGHT", "heliocentric_velocity", "orbital_velocity"]

LIGHT = 299792.458
"""Speed of light, km/s."""

_J2000 = 51544.5
_OBLIQUITY = math.radians(23.4393)


def heliocentric_velocity(ra: float, dec: float, mjd: float) -> float:
    """Return the velocity of the Earth away from a target, km/s, to about 0.1 km/s.

    Parameters
    ----------
    ra, dec
        Of the target, degrees.
    mjd
        Time.

    Notes
    -----
    Kepler's ellipse with the Sun's mean elements of J2000 (Astronomical Almanac, low-precision
    formulae of the Sun).
    """
    days = mjd - _J2000
    anomaly = math.radians(357.529 + 0.98560028 * days)
    eccentricity = 0.016709 - 1.2e-9 * days
    longitude = math.radians(
        280.460 + 0.98560910 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)
    )
    perigee = math.radians(282.93)
    speed = 29.785
    v_x = speed * (math.sin(longitude) + eccentricity * math.sin(perigee))
    v_y = -speed * (math.cos(longitude) + eccentricity * math.cos(perigee))
    alpha, delta = math.radians(ra), math.radians(dec)
    toward = (
        v_x * math.cos(delta) * math.cos(alpha)
        + v_y * math.cos(_OBLIQUITY) * math.cos(delta) * math.sin(alpha)
        + v_y * math.sin(_OBLIQUITY) * math.sin(delta)
    )
    return -toward


def orbital_velocity(
    viewing: Viewing, start: float, time: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the velocity that moves the spectrum to the red, by HST's orbit, km/s, shape of
    `time`.

    Parameters
    ----------
    viewing
        Amplitude, zero and period.
    start
        Start of the exposure, MJD.
    time
        Seconds since then.
    """
    seconds = (start - viewing.doppler_zero) * 86400.0 + time
    return np.asarray(
        viewing.doppler_amplitude * np.sin(2 * np.pi * seconds / viewing.orbit_period)
    )
