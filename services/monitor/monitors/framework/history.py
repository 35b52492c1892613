"""Dated facts of the instrument that figures are annotated with and thresholds depend on.

Sources: COS Data Handbook, table A.1 (lifetime positions); the high-voltage history of the original gain monitor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.time import Time

from services.monitor.figures import Mark

__all__ = ["HIGH_VOLTAGE", "LIFETIME_POSITIONS", "Dated", "lifetime_marks", "value_at", "voltage_marks"]


@dataclass(frozen=True)
class Dated:
    """A value that holds from a date (MJD) until the next, and where that is known from."""

    mjd: float
    value: float
    source: str


def _day(date: str) -> float:
    return float(Time(date, scale="utc").mjd)


LIFETIME_POSITIONS: tuple[tuple[str, float], ...] = (
    ("LP1", _day("2009-05-11")),
    ("LP2", _day("2012-07-23")),
    ("LP3", _day("2015-02-09")),
    ("LP4", _day("2017-10-02")),
    ("LP5", _day("2021-10-04")),
    ("LP6", _day("2022-10-03")),
    ("LP7", _day("2025-11-01")),
)
"""First use of each lifetime position (COS Data Handbook, table A.1; LP5 for G130M, LP6 for G160M, LP7 for G130M)."""

HIGH_VOLTAGE: dict[str, tuple[tuple[float, int], ...]] = {
    "FUVA": (
        (_day("2009-08-12"), 169),
        (_day("2012-03-26"), 178),
        (_day("2012-07-23"), 167),
        (_day("2014-11-03"), 173),
        (_day("2015-02-09"), 167),
        (_day("2017-10-02"), 163),
    ),
    "FUVB": (
        (_day("2009-08-12"), 167),
        (_day("2011-03-10"), 175),
        (_day("2012-07-23"), 163),
        (_day("2013-06-24"), 169),
        (_day("2014-07-21"), 175),
        (_day("2015-02-09"), 163),
        (_day("2016-01-18"), 169),
        (_day("2016-10-17"), 175),
        (_day("2017-10-02"), 163),
    ),
}
"""Nominal high-voltage levels by segment, as the original gain monitor lists them; later ones are in the data."""


def value_at(history: Sequence[Dated], mjd: np.ndarray) -> np.ndarray:
    """Value that held at each time; the first one also before its date.

    Parameters
    ----------
    history
        Values in order of their dates.
    mjd
        Times, shape (n,).
    """
    place = np.searchsorted([item.mjd for item in history], mjd, side="right") - 1
    values: np.ndarray = np.array([item.value for item in history])[np.clip(place, 0, None)]
    return values


def _within(marks: Sequence[tuple[str, float]], first: float, last: float) -> list[Mark]:
    return [Mark(text, x=mjd) for text, mjd in marks if first <= mjd <= last]


def lifetime_marks(mjd: np.ndarray) -> list[Mark]:
    """Mark the moves to new lifetime positions within a span of times."""
    return _within(LIFETIME_POSITIONS, float(mjd.min()), float(mjd.max())) if len(mjd) else []


def voltage_marks(segment: str, mjd: np.ndarray) -> list[Mark]:
    """Mark the voltage steps of a segment within a span of times."""
    steps = [(f"HV {level}", date) for date, level in HIGH_VOLTAGE.get(segment, ())]
    return _within(steps, float(mjd.min()), float(mjd.max())) if len(mjd) else []
