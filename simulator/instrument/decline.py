"""Decline of the sensitivity over the mission.

The truth that the time-dependent sensitivity table describes.

Size of the slopes: COS Instrument Science Reports on time-dependent sensitivity, a few per cent a
year.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["BREAKS", "REFERENCE_DATE", "WAVELENGTHS", "decline", "intercepts", "slopes"]

Floats = NDArray[np.float64]

REFERENCE_DATE = 54952.0
"""MJD at which the sensitivity tables hold."""

BREAKS = (54952.0, 55500.0, 56500.0, 58000.0)
"""MJD at which the slopes change."""

WAVELENGTHS = {
    "FUV": np.array([800.0, 1100.0, 1250.0, 1400.0, 1600.0, 1800.0, 2400.0]),
    "NUV": np.array([1000.0, 1700.0, 2000.0, 2300.0, 2700.0, 3400.0]),
}
"""Angstrom at which slopes are given."""

_YEAR = 365.25
_FACTORS = (1.0, 0.55, 0.35, 0.25)
_FIRST_SLOPE = {"FUV": -5.0, "NUV": -3.0}


def slopes(detector: str) -> Floats:
    """Return the per cent a year of the reference sensitivity, shape (breaks, wavelengths)."""
    wavelength = WAVELENGTHS[detector]
    shape = 1.0 + 0.2 * np.sin(wavelength / 300.0)
    return _FIRST_SLOPE[detector] * np.outer(_FACTORS, shape)


def intercepts(detector: str) -> Floats:
    """Return the factors at the reference date that make the decline continuous, shape (breaks,
    wavelengths).
    """
    slope = slopes(detector)
    intercept = np.ones_like(slope)
    for index in range(1, len(BREAKS)):
        years = (BREAKS[index] - REFERENCE_DATE) / _YEAR
        intercept[index] = intercept[index - 1] + years * (slope[index - 1] - slope[index]) / 100.0
    return intercept


def decline(detector: str, mjd: float) -> Floats:
    """Return the sensitivity over that at the reference date, at `WAVELENGTHS` of the detector,
    shape (wavelengths,).
    """
    index = max(int(np.searchsorted(BREAKS, mjd, side="right")) - 1, 0)
    years = (mjd - REFERENCE_DATE) / _YEAR
    return np.asarray(slopes(detector)[index] * years / 100.0 + intercepts(detector)[index])
