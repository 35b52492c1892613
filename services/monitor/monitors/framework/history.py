"""Dated thresholds, and the marks that dated facts of the instrument leave on figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.monitor.figures import Mark
from shared.cos.history import HIGH_VOLTAGE, LIFETIME_POSITIONS, Segment

__all__ = ["Dated", "lifetime_marks", "value_at", "voltage_marks"]


@dataclass(frozen=True)
class Dated:
    """A value that holds from a date (MJD) until the next, and where that is known from."""

    mjd: float
    value: float
    source: str


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
    moves = [(f"LP{position.number}", position.start) for position in LIFETIME_POSITIONS]
    return _within(moves, float(mjd.min()), float(mjd.max())) if len(mjd) else []


def voltage_marks(segment: Segment, mjd: np.ndarray) -> list[Mark]:
    """Mark the voltage steps of a segment within a span of times."""
    steps = [(f"HV {level}", date) for date, level in HIGH_VOLTAGE[segment]]
    return _within(steps, float(mjd.min()), float(mjd.max())) if len(mjd) else []
