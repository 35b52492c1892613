"""What a detector hands over, and the parts of recording that both detectors share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.plan import ExposurePlan, Flash

__all__ = ["Recording", "lamp_intervals", "live_fraction"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recording:
    """Recorded events of one detector, in the order of time.

    Attributes
    ----------
    time
        Seconds since the exposure's start, float32, shape (n,).
    x, y
        Raw pixels, int16, shape (n,).
    pulse_height
        0 to 31, uint8, shape (n,); zero for the NUV.
    live_time
        Mean fraction of events that was recorded.
    """

    time: NDArray[np.float32]
    x: NDArray[np.int16]
    y: NDArray[np.int16]
    pulse_height: NDArray[np.uint8]
    live_time: float

    @classmethod
    def empty(cls) -> "Recording":
        """Nothing recorded."""
        return cls(np.empty(0, "f4"), np.empty(0, "i2"), np.empty(0, "i2"), np.empty(0, "u1"), 1.0)


def lamp_intervals(plan: ExposurePlan) -> tuple[Flash, ...]:
    """When the wavelength-calibration lamp is on: in flashes, or throughout a wavecal exposure."""
    return (Flash(0.0, plan.exptime),) if plan.exptype == "WAVECAL" else plan.flashes


def live_fraction(time: Floats, exptime: float, live_time: Callable[[Floats], Floats]) -> tuple[Floats, float]:
    """Fraction of events that is recorded at each event, and its mean over the exposure.

    Parameters
    ----------
    time
        Times of all events that arrive, seconds, shape (n,).
    exptime
        Length of the exposure, seconds.
    live_time
        Fraction recorded against the recorded rate in count/s.
    """
    bins = max(int(np.ceil(exptime)), 1)
    width = exptime / bins
    index = np.minimum((time / width).astype(np.int64), bins - 1)
    arriving = np.bincount(index, minlength=bins) / width
    recorded = arriving
    for _ in range(4):
        recorded = arriving * live_time(recorded)
    fraction = live_time(recorded)
    return fraction[index], float(fraction.mean())
