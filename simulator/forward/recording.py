"""Recorded events, and the parts of recording that both detectors share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.forward.photons import Photons
from simulator.plan import ExposurePlan, Flash

__all__ = ["Recording", "lamp_intervals", "register"]

Floats = NDArray[np.float64]

_TICK = 0.032  # s, time resolution of TIME-TAG


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
        """Return nothing recorded."""
        return cls(np.empty(0, "f4"), np.empty(0, "i2"), np.empty(0, "i2"), np.empty(0, "u1"), 1.0)


def lamp_intervals(plan: ExposurePlan) -> tuple[Flash, ...]:
    """Return when the wavelength-calibration lamp is on: in flashes, or throughout a wavecal
    exposure.
    """
    return (Flash(0.0, plan.exptime),) if plan.exptype == "WAVECAL" else plan.flashes


def register(
    photons: Photons,
    pulse_height: NDArray[np.uint8],
    shape: tuple[int, int],
    exptime: float,
    live_time: Callable[[Floats], Floats],
    generator: np.random.Generator,
) -> Recording:
    """Turn what reaches the electronics into recorded events.

    Whole pixels, dead time, clock, order.

    Parameters
    ----------
    photons
        Events in raw coordinates; those beyond the edges are lost before they cost any dead time.
    pulse_height
        Of each, 0 to 31, shape (n,).
    shape
        Raw pixels along (Y, X).
    exptime
        Length of the exposure, seconds.
    live_time
        Fraction recorded against the recorded rate in count/s.
    generator
        Source of randomness.
    """
    x, y = np.rint(photons.x).astype(np.int32), np.rint(photons.y).astype(np.int32)
    arrived = np.flatnonzero((x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0]))
    time = photons.time[arrived]
    fraction, live = _live_fraction(time, exptime, live_time)
    kept = generator.random(time.size) < fraction
    # numpy sorts 16 bits by radix, ten times as fast.
    ticks = np.floor(time[kept] / _TICK).astype(np.uint16 if exptime < _TICK * 2**16 else np.int32)
    order = np.argsort(ticks, kind="stable")
    chosen = arrived[kept][order]
    return Recording(
        np.multiply(ticks[order], _TICK, dtype=np.float64).astype(np.float32),
        x[chosen].astype(np.int16),
        y[chosen].astype(np.int16),
        pulse_height[chosen],
        live,
    )


def _live_fraction(
    time: Floats, exptime: float, live_time: Callable[[Floats], Floats]
) -> tuple[Floats, float]:
    """Return the fraction that is recorded at each event that arrives, and its mean over the
    exposure.
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
