"""Dated thresholds, and the marks that dated facts of the instrument leave on figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.monitor.figures import Mark
from shared.cos.history import HIGH_VOLTAGE, LIFETIME_POSITIONS, Segment

__all__ = ["Dated", "configuration_marks", "dated_at", "lifetime_marks", "value_at", "years_of"]


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


def dated_at(history: Sequence[Dated], mjd: float) -> Dated:
    """Value that held at a time, with its source; the first one also before its date."""
    return history[max(int(np.searchsorted([item.mjd for item in history], mjd, side="right")) - 1, 0)]


def years_of(mjd: np.ndarray) -> np.ndarray:
    """Julian years (365.25 d) of times (MJD), shape (n,): 2000.0 is 2000-01-01 12:00."""
    years: np.ndarray = 2000.0 + (mjd - 51544.5) / 365.25
    return years


def lifetime_marks(mjd: np.ndarray) -> list[Mark]:
    """Mark the moves to new lifetime positions within a span of times."""
    return _marks(_moves(), mjd)


def configuration_marks(segment: Segment, mjd: np.ndarray) -> list[Mark]:
    """Mark the moves and the voltage steps of a segment within a span of times, all of a date by one mark."""
    return _marks([*_moves(), *((date, f"HV {level}") for date, level in HIGH_VOLTAGE[segment])], mjd)


def _moves() -> list[tuple[float, str]]:
    return [(position.start, f"LP{position.number}") for position in LIFETIME_POSITIONS]


def _marks(facts: Sequence[tuple[float, str]], mjd: np.ndarray) -> list[Mark]:
    first, last = (float(mjd.min()), float(mjd.max())) if len(mjd) else (np.inf, -np.inf)
    names: dict[float, list[str]] = {}
    for date, text in facts:
        if first <= date <= last:
            names.setdefault(date, []).append(text)
    return [Mark(", ".join(texts), x=date) for date, texts in sorted(names.items())]
