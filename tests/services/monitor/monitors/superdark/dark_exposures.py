"""Darks of a simulated instrument, as the ingestor leaves them.

Counts of superpixels and pulse heights.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from services.monitor.monitors.superdark.maps import DarkMap
from shared.cos.instrument_history import high_voltage
from simulator import background as rates
from simulator.description import Instrument
from simulator.forward.fuv import background, dark_pulses
from simulator.mission.targets import DARK
from simulator.plan import ExposurePlan
from simulator.state import Curve, DetectorState, HotSpot, uniform_grid

__all__ = ["DARK_SECONDS", "simulated_darks"]

DARK_SECONDS = 1330.0
"""Length of a real dark exposure (COS Instrument Handbook)."""


def simulated_darks(
    segment: str, times: Sequence[float], spots: Sequence[HotSpot] = (), seed: int = 1
) -> Iterator[DarkMap]:
    """Yield the darks of a segment at times (MJD), of an instrument with hot spots.

    Events in the corrected frame.

    Dark rate and voltage are those of the simulated instrument at that time.
    """
    made = Instrument(seed=seed)
    for mjd in times:
        generator = np.random.default_rng([seed, round(mjd * 1000)])
        rate = rates.dark_rate(made, segment, mjd)  # type: ignore[arg-type]
        state = DetectorState(
            Curve.constant(float(rate[0])),
            uniform_grid(1.0),
            uniform_grid(11.0),
            spots=tuple(spot for spot in spots if spot.detector == segment),
        )
        plan = ExposurePlan(
            "ld0000000",
            1,
            "01.001",
            mjd,
            DARK_SECONDS,
            "FUV",
            "TIME-TAG",
            "DARK",
            "G130M",
            1291,
            DARK,
        )
        events = background(plan, state, segment, generator)
        heights = dark_pulses(state, events, generator).astype(np.int64)
        x, y = (np.rint(values).astype(np.int64) for values in (events.x, events.y))
        cells, counts = np.unique((y // 2 * 2048 + x // 8) * 32 + heights, return_counts=True)
        level = high_voltage(segment, mjd)  # type: ignore[arg-type]
        yield DarkMap(segment, mjd, DARK_SECONDS, float(level), cells, counts)
