"""The NUV detector (MAMA): size, background, flat field and dead time.

Source: COS Instrument Handbook, chapter 4; COS Data Handbook, section 3.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["FLAT_MAXIMUM", "SHAPE", "SIZE", "TIMESTEP", "flat_field", "live_time"]

Floats = NDArray[np.float64]

SIZE = 1024
"""Pixels along each axis."""

SHAPE = (SIZE, SIZE)
"""Pixels along (Y, X)."""

TIMESTEP = 100.0
"""Seconds over which CalCOS averages the rate for the dead time."""

FLAT_MAXIMUM = 1.12
"""Upper bound of `flat_field`."""


def flat_field(x: NDArray[np.integer], y: NDArray[np.integer]) -> Floats:
    """Return the relative response of pixels, about 1, with a moire pattern."""
    return (
        1.0
        + 0.02 * np.sin(2 * np.pi * (x + 0.3 * y) / 11.0)
        + 0.02 * np.cos(2 * np.pi * (y - 0.2 * x) / 61.0)
    )


def live_time(rate: Floats | float) -> Floats:
    """Return the fraction of events that is recorded, against the recorded rate in count/s (0.28
    microseconds).
    """
    return np.asarray(1.0 / (1.0 + 2.8e-7 * np.asarray(rate, dtype=np.float64)))
