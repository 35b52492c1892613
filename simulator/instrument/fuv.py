"""The FUV detector: geometry, electronics, distortions, flat field and dead time.

Numbers are typical of the real detector (COS Data Handbook, chapter 3; BRFTAB, GEOFILE and DEADTAB
of CRDS); the functions are smooth stand-ins of the same size as the measured ones.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FLAT_MAXIMUM",
    "GAIN_PER_LEVEL",
    "HEIGHT",
    "SEGMENTS",
    "SHAPE",
    "STIM_SEARCH",
    "TIMESTEP",
    "WIDTH",
    "ActiveArea",
    "Segment",
    "delta_distortion",
    "distortion",
    "flat_field",
    "hv_sensitivity",
    "live_time",
    "walk_x",
    "walk_y",
]

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 16384, 1024
"""Pixels along X (dispersion) and Y of a segment."""

SHAPE = (HEIGHT, WIDTH)
"""Pixels along (Y, X)."""

STIM_SEARCH = (60.0, 20.0)
"""Half widths in X and Y of the box that stims are looked for in, pixels."""

TIMESTEP = 100.0
"""Seconds over which CalCOS averages stim positions and the rate for the dead time."""

GAIN_PER_LEVEL = 0.25
"""Pulse heights that the modal gain rises by with one level of high voltage."""

FLAT_MAXIMUM = 1.12
"""Upper bound of `flat_field`."""


@dataclass(frozen=True)
class ActiveArea:
    """Limits of the part that sees light, pixels of the corrected frame, inclusive."""

    left: int
    right: int
    low: int
    high: int

    def contains(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Return whether positions lie inside, same shape."""
        return (x >= self.left) & (x <= self.right) & (y >= self.low) & (y <= self.high)

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return (self.right - self.left + 1) * (self.high - self.low + 1)


@dataclass(frozen=True)
class Segment:
    """One segment.

    Attributes
    ----------
    name
        FUVA or FUVB.
    active
        Its active area.
    stims
        Reference positions (x, y) of the upper left and the lower right stim, pixels.
    phase
        Phase that makes the distortions of the segments differ, radian.
    """

    name: str
    active: ActiveArea
    stims: tuple[tuple[float, float], tuple[float, float]]
    phase: float


SEGMENTS = {
    "FUVA": Segment(
        "FUVA", ActiveArea(1060, 15250, 296, 734), ((389.0, 984.0), (16000.0, 33.0)), 0.0
    ),
    "FUVB": Segment(
        "FUVB", ActiveArea(809, 15182, 360, 785), ((389.0, 987.0), (15996.0, 38.0)), 1.3
    ),
}
"""Both segments; limits as the dark monitor's regions have them, stims as in real headers."""


def distortion(segment: str, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the geometric distortion (dx, dy) in pixels at thermally corrected positions.

    Corrected = x - dx, y - dy.
    """
    phase = SEGMENTS[segment].phase
    u, v = x / WIDTH, (y - 512.0) / HEIGHT
    dx = 9.0 * np.sin(2 * np.pi * 1.7 * u + phase) + 3.0 * np.cos(2 * np.pi * 5.3 * u - phase) * (
        1 + v
    )
    dy = 2.5 * np.sin(2 * np.pi * 1.1 * u - phase) + 4.0 * v * np.cos(2 * np.pi * 0.6 * u + phase)
    return dx, dy


def delta_distortion(segment: str, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the residual distortion (dx, dy) in pixels, corrected after `distortion`."""
    phase = SEGMENTS[segment].phase
    u, v = x / WIDTH, (y - 512.0) / HEIGHT
    return 0.6 * np.sin(2 * np.pi * 3.1 * u + 2 * phase), 0.3 * np.cos(
        2 * np.pi * 2.3 * u + phase
    ) * (1 + v)


def walk_x(segment: str, pulse_height: NDArray[np.number], x: Floats) -> Floats:
    """Return displacement along X in pixels that depends on the pulse height (0 to 31) and x."""
    phase = SEGMENTS[segment].phase
    height = np.asarray(pulse_height, dtype=np.float64)
    return (height - 11.0) * (0.10 + 0.05 * np.sin(2 * np.pi * 2.0 * x / WIDTH + phase))


def walk_y(segment: str, pulse_height: NDArray[np.number], y: Floats) -> Floats:
    """Return displacement along Y in pixels that depends on the pulse height (0 to 31) and y."""
    phase = SEGMENTS[segment].phase
    height = np.asarray(pulse_height, dtype=np.float64)
    return (height - 11.0) * (0.12 + 0.04 * np.cos(2 * np.pi * y / HEIGHT + phase))


def flat_field(segment: str, x: NDArray[np.integer], y: NDArray[np.integer]) -> Floats:
    """Return the relative response of pixels, about 1.

    The pattern of the fibre bundles and of the grid wires.
    """
    phase = SEGMENTS[segment].phase
    bundles = 0.03 * np.sin(2 * np.pi * x / 37.0 + phase) * np.cos(2 * np.pi * y / 29.0)
    wires = -0.06 * np.exp(-0.5 * (((x % 840) - 420.0) / 8.0) ** 2)
    return np.asarray(1.0 + bundles + wires, dtype=np.float64)


def live_time(rate: Floats | float) -> Floats:
    """Return the fraction of events that is recorded, against the recorded rate in count/s of a
    segment (7.4 microseconds).
    """
    return np.asarray(1.0 / (1.0 + 7.4e-6 * np.asarray(rate, dtype=np.float64)))


def hv_sensitivity(level: float) -> float:
    """Give the detection efficiency over that at level 163, against the high-voltage level."""
    return 1.0 / (1.0 - 0.0015 * (level - 163.0))
