"""Hot spots: places of a detector that count without light for a while."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from shared.cos.detector import DARK_REGIONS
from simulator.state import HotSpot

__all__ = ["draw_spots"]

_DAYS = (20.0, 400.0)
_RATES = (0.002, 0.2)
_MARGIN = 30.0


def draw_spots(
    generator: np.random.Generator,
    count: int,
    start: float,
    stop: float,
    detectors: Sequence[Literal["FUVA", "FUVB", "NUV"]] = ("FUVA", "FUVB"),
) -> tuple[HotSpot, ...]:
    """Draw hot spots that come and go within a time: 20 to 400 days long, 0.002 to 0.2 count/s.

    Parameters
    ----------
    generator
        Source of randomness.
    count
        How many.
    start, stop
        MJD UTC.
    detectors
        Where they may be.
    """
    spots = []
    for number in range(count):
        name = detectors[number % len(detectors)]
        region = DARK_REGIONS[name]["all" if name == "NUV" else "inner"]
        days = min(float(np.exp(generator.uniform(*np.log(_DAYS)))), 0.8 * (stop - start))
        begin = generator.uniform(start, stop - days)
        spots.append(
            HotSpot(
                detector=name,
                x=float(generator.uniform(region.x0 + _MARGIN, region.x1 - _MARGIN)),
                y=float(generator.uniform(region.y0 + _MARGIN, region.y1 - _MARGIN)),
                rate=float(np.exp(generator.uniform(*np.log(_RATES)))),
                start=float(begin),
                stop=float(begin + days),
            )
        )
    return tuple(spots)
