"""Temperatures and dark rates over the years.

Pure functions of the instrument's description and a time.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.cos.instrument_history import Segment
from simulator.description import FIRST_LIGHT, YEAR, Instrument
from simulator.sky import saa_distance, solar_flux, subsolar

__all__ = ["Detector", "amplifier_temperature", "dark_rate", "tube_temperature"]

Floats = NDArray[np.float64]
Detector = Literal["FUVA", "FUVB", "NUV"]

_QUIET_DARK: dict[Detector, float] = {"FUVA": 0.95e-6, "FUVB": 0.95e-6, "NUV": 3.0e-4}
"""count / s / pixel at solar minimum, far from the anomaly, at first light. FUV: lower envelope of
3,990 measurements of 2009 to 2017; NUV: see `dark_rate`."""
_SOLAR_DARK: dict[Detector, float] = {"FUVA": 1.2e-8, "FUVB": 0.4e-8, "NUV": 0.0}
"""count / s / pixel per solar flux unit above 70: slope of the same measurements' yearly medians.
"""
_LATE_DARK: dict[Detector, float] = {"FUVA": 0.30e-6, "FUVB": 0.55e-6, "NUV": 0.0}
"""count / s / pixel per year since 2020, which leads to the rates of the exposure time calculator
of November 2023: 3.83e-6 and 4.93e-6 (COS Instrument Handbook)."""
_ANOMALY_DARK = 1.0e-6
_ANOMALY_SCALE = 170.0
"""Extra FUV dark at the edge of the anomaly in count / s / pixel and its scale in km: medians of
the measurements by distance, 2.1 within 300 km against 1.1 to 1.4 beyond."""
_DAY_DARK = 0.12
"""Relative amplitude with the local solar time of the point below HST, from the same measurements.
"""


def amplifier_temperature(instrument: Instrument, segment: Segment, mjd: ArrayLike) -> Floats:
    """Return the temperature of a segment's amplifier in deg C (LDCAMPAT, LDCAMPBT).

    A yearly wave, one with the precession of the orbit's plane and one with the orbit; mean and
    spread are those of 1,905 dark exposures.
    """
    time = np.asarray(mjd, dtype=np.float64)
    mean = 25.5 if segment == "FUVA" else 24.4
    year = 0.45 * np.sin(2.0 * np.pi * (time - 54200.0) / YEAR)
    precession = 0.3 * np.sin(2.0 * np.pi * (time - 54210.0) / 55.2)
    orbit = 0.15 * np.sin(
        2.0 * np.pi * time / (instrument.orbit.period(float(time.flat[0])) / 86400.0)
    )
    return np.asarray(mean + year + precession + orbit, dtype=np.float64)


def tube_temperature(instrument: Instrument, mjd: ArrayLike, hours_on: ArrayLike = 6.0) -> Floats:
    """Return the temperature of the NUV tube in deg C (LMMCETMP), which warms after its high
    voltage is switched on.
    """
    warm = 2.5 * (1.0 - np.exp(-np.asarray(hours_on, dtype=np.float64) / 4.0))
    return np.asarray(amplifier_temperature(instrument, "FUVA", mjd) - 4.5 + warm, dtype=np.float64)


def dark_rate(instrument: Instrument, detector: Detector, mjd: ArrayLike) -> Floats:
    """Return the dark rate.

    Parameters
    ----------
    instrument
        Description.
    detector
        FUV segment, or NUV.
    mjd
        Times, MJD UTC, within a few days of each other.

    Returns
    -------
    NDArray
        count / s / pixel at each time. FUV follows the solar cycle, the distance to the South
        Atlantic Anomaly and the local solar time; NUV is phosphorescence of the window: it grows
        with the mission's age and, e-folding in about 9 degrees, with the temperature (COS
        Instrument Handbook: 1.25e-3 in 2023).
    """
    times = np.atleast_1d(np.asarray(mjd, dtype=np.float64))
    latitude, longitude = instrument.orbit.ground(times)
    distance = saa_distance(float(times[0]), latitude, longitude)
    anomaly = np.exp(-np.maximum(distance, 0.0) / _ANOMALY_SCALE)
    if detector == "NUV":
        age = (times - FIRST_LIGHT) / YEAR
        warmth = np.exp((tube_temperature(instrument, times) - 23.0) / 9.0)
        rate = (
            _QUIET_DARK["NUV"]
            * (1.0 + 3.2 * (1.0 - np.exp(-age / 9.0)))
            * warmth
            * (1.0 + 0.3 * anomaly)
        )
        return np.asarray(rate, dtype=np.float64)
    noon = np.cos(np.radians(subsolar(times)[1] - longitude))
    rate = _QUIET_DARK[detector] + _SOLAR_DARK[detector] * np.maximum(solar_flux(times) - 70.0, 0.0)
    rate = rate + _LATE_DARK[detector] * np.maximum(times - 58849.0, 0.0) / YEAR
    return np.asarray(rate * (1.0 + _DAY_DARK * noon) + _ANOMALY_DARK * anomaly, dtype=np.float64)
