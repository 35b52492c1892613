"""The Pt-Ne wavelength-calibration lamp.

Lines, and the template spectra that shifts are measured against.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from simulator.instrument.modes import Setting

__all__ = ["CONTINUUM", "FLASH_RATE", "LINE_SIGMA", "lamp_lines", "lamp_spectrum"]

Floats = NDArray[np.float64]

FLASH_RATE = {"FUV": 3000.0, "NUV": 1800.0}
"""Count/s of one segment or stripe while the lamp is on."""

LINE_SIGMA = {"FUV": 3.5, "NUV": 3.0}
"""Sigma of a line, pixels; the calibration aperture is wider than a star.

CalCOS fits a parabola to chi-square over up to seven pixels: much narrower lines would bias its
shifts by 0.1 pixel."""

CONTINUUM = 0.1
"""Share of the lamp's counts in its continuum.

Less of it makes CalCOS's chi-square, and its shifts, noisier.
"""

_LINES_PER_DISPERSION = {"FUV": 90, "NUV": 30}


@cache
def lamp_lines(setting: Setting) -> tuple[Floats, Floats]:
    """Return the positions in wavecal-corrected pixels and relative strengths.

    The same lines for all channels of a setting.
    """
    spread = {"FUV": (-1500.0, 18000.0), "NUV": (-250.0, 1270.0)}[setting.detector]
    generator = np.random.default_rng(
        [setting.cenwave, setting.grating.channels.index(setting.channel)]
    )
    count = _LINES_PER_DISPERSION[setting.detector]
    return generator.uniform(*spread, count), generator.lognormal(0.0, 1.0, count)


def lamp_spectrum(setting: Setting, pixel: Floats) -> Floats:
    """Return the relative count rate per pixel of the lamp over its detector, sum about 1.

    Parameters
    ----------
    setting
        Channel of a grating.
    pixel
        Positions in the wavecal-corrected frame, shape (n,).
    """
    positions, strengths = lamp_lines(setting)
    sigma = LINE_SIGMA[setting.detector]
    width = {"FUV": 16384.0, "NUV": 1024.0}[setting.detector]
    inside = strengths[(positions > 0) & (positions < width)].sum()
    rate = np.full(pixel.shape, CONTINUUM / width)
    for position, strength in zip(positions, strengths / inside * (1.0 - CONTINUUM), strict=True):
        near = np.abs(pixel - position) < 6 * sigma
        rate[near] += (
            strength
            * np.exp(-0.5 * ((pixel[near] - position) / sigma) ** 2)
            / (sigma * np.sqrt(2 * np.pi))
        )
    return rate
