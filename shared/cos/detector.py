"""The detectors: areas, dark regions, stim pulses, gain."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ACTIVE_AREAS",
    "DARK_REGIONS",
    "FUV_SEGMENTS",
    "GAIN_SHAPE",
    "NUV_STRIPES",
    "STIM_BOX",
    "STIM_POSITIONS",
    "X_BINNING",
    "Y_BINNING",
    "Box",
]

FUV_SEGMENTS: Final = ("FUVA", "FUVB")
NUV_STRIPES: Final = ("NUVA", "NUVB", "NUVC")


@dataclass(frozen=True)
class Box:
    """Rectangle of detector pixels; what lies on its sides is outside."""

    x0: float
    x1: float
    y0: float
    y1: float

    @property
    def pixels(self) -> int:
        """Area in pixels."""
        return round((self.x1 - self.x0) * (self.y1 - self.y0))

    def contains(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        """Return whether positions are inside."""
        return np.asarray((x > self.x0) & (x < self.x1) & (y > self.y0) & (y < self.y1))


ACTIVE_AREAS: Final = {"FUVA": Box(1060, 15250, 296, 734), "FUVB": Box(809, 15182, 360, 785)}
"""Active areas of the segments, in corrected pixels (BRFTAB ``x1u1459il``)."""

DARK_REGIONS: Final = {
    "FUVA": {
        "inner": Box(1260, 15119, 375, 660),
        "bottom": Box(1060, 15250, 296, 375),
        "top": Box(1060, 15250, 660, 734),
        "left": Box(1060, 1260, 296, 734),
        "right": Box(15119, 15250, 296, 734),
    },
    "FUVB": {
        "inner": Box(1000, 14990, 405, 740),
        "bottom": Box(809, 15182, 360, 405),
        "top": Box(809, 15182, 740, 785),
        "left": Box(809, 1000, 360, 785),
        "right": Box(14990, 15182, 360, 785),
    },
    "NUV": {"all": Box(-0.5, 1023.5, -0.5, 1023.5)},
}
"""Regions of which dark rates are kept (dark monitor of spacetelescope/cosmo). They overlap at the
corners. That of the NUV detector is what rounds to one of its 1024 by 1024 pixels, whose numbers
are whole: 0 to 1023."""

STIM_POSITIONS: Final = {
    "FUVA": ((389.0, 984.0), (16000.0, 33.0)),
    "FUVB": ((389.0, 987.0), (15996.0, 38.0)),
}
"""Where the upper left and the lower right stim should be, in raw pixels (STIMs0LX ... of
calibrated headers).
"""

STIM_BOX: Final = (180.0, 90.0)
"""Half widths of the boxes that stims are looked for in, x and y, in pixels (BRFTAB XWIDTH,
YWIDTH).
"""

X_BINNING: Final = 8
Y_BINNING: Final = 2
"""Pixels of a superpixel of the gain maps, chosen after the spacing of the pores (legacy gain
monitor).
"""

GAIN_SHAPE: Final = (1024 // Y_BINNING, 16384 // X_BINNING)
"""Superpixels of a segment: rows, columns."""
