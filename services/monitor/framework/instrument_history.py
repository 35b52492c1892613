"""Dated thresholds, and the marks that dated facts of the instrument leave on figures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from services.monitor.figures import Mark
from shared.cos.instrument_history import (
    ANNOTATIONS,
    HIGH_VOLTAGE,
    LIFETIME_POSITIONS,
    Segment,
    Topic,
)

__all__ = [
    "Dated",
    "annotation_marks",
    "configuration_marks",
    "held_at",
    "lifetime_marks",
    "value_at",
]

_CLOSE = 0.015
"""Fraction of a span within which two texts would lie over each other."""

_LASTING = 10
"""Exposures in turn at a level without which it is a test, or one of several in use."""


@dataclass(frozen=True)
class Dated:
    """A value that holds from a date (MJD) until the next, and where that is known from."""

    mjd: float
    value: float
    source: str


def _places(history: Sequence[Dated], mjd: np.ndarray) -> np.ndarray:
    places: np.ndarray = np.searchsorted([item.mjd for item in history], mjd, side="right") - 1
    places[places < 0] = 0
    return places


def value_at(history: Sequence[Dated], mjd: np.ndarray) -> np.ndarray:
    """Return the value that held at each time; the first one also before its date.

    Parameters
    ----------
    history
        Values in order of their dates.
    mjd
        Times, shape (n,).
    """
    values: np.ndarray = np.array([item.value for item in history])[_places(history, mjd)]
    return values


def held_at(history: Sequence[Dated], mjd: float) -> Dated:
    """Return the value that held at a time, with its source; the first one also before its date."""
    return history[int(_places(history, np.array([mjd]))[0])]


def lifetime_marks(mjd: np.ndarray) -> list[Mark]:
    """Mark the moves to new lifetime positions within a span of times."""
    return _marks(_moves(), mjd)


def configuration_marks(segment: Segment, mjd: np.ndarray, hvlevel: np.ndarray) -> list[Mark]:
    """Mark the moves and the voltage steps of a segment within a span of times, all of a date by
    one mark.

    Parameters
    ----------
    segment
        FUVA or FUVB.
    mjd
        Times, shape (n,).
    hvlevel
        Commanded level at each, NaN where unknown; it shows steps after the last known one.
    """
    steps = [(date, float(level)) for date, level in HIGH_VOLTAGE[segment]]
    later = mjd > steps[-1][0]
    steps += _voltage_steps(mjd[later], hvlevel[later], steps[-1][1])
    return _marks([*_moves(), *((date, f"HV {level:.0f}") for date, level in steps)], mjd)


def annotation_marks(topic: Topic, mjd: np.ndarray) -> list[Mark]:
    """Mark what happened that concerns a topic within a span of times."""
    return _marks([(one.mjd, one.text) for one in ANNOTATIONS if topic in one.topics], mjd)


def _voltage_steps(
    mjd: np.ndarray, hvlevel: np.ndarray, before: float
) -> list[tuple[float, float]]:
    """Return when exposures came to another level than before, and which, apart from levels that
    did not last.
    """
    # An exposure may have several rows.
    times, places = np.unique(mjd[np.isfinite(hvlevel)], return_index=True)
    levels = hvlevel[np.isfinite(hvlevel)][places]
    starts = np.flatnonzero(np.diff(levels, prepend=np.nan) != 0)
    lasting = starts[np.diff(np.append(starts, len(levels))) >= _LASTING]
    changed = lasting[np.diff(levels[lasting], prepend=before) != 0]
    return list(zip(times[changed].tolist(), levels[changed].tolist(), strict=True))


def _moves() -> list[tuple[float, str]]:
    return [(position.start, f"LP{position.number}") for position in LIFETIME_POSITIONS]


def _marks(facts: Iterable[tuple[float, str]], mjd: np.ndarray) -> list[Mark]:
    """Mark facts within a span of times.

    Those that lie close together are labelled at the first of them.
    """
    first, last = (float(mjd.min()), float(mjd.max())) if len(mjd) else (np.inf, -np.inf)
    names: dict[float, list[str]] = {}
    beside = -np.inf
    for date, text in sorted(facts, key=lambda fact: fact[0]):
        if first <= date <= last:
            names.setdefault(date, [])
            beside = beside if date - beside <= _CLOSE * (last - first) else date
            names[beside].append(text)
    return [Mark(text=", ".join(texts), x=date) for date, texts in names.items()]
