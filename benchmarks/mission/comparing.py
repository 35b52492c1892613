"""Results of comparisons with the truth: rows of the tables in the documentation."""

from dataclasses import dataclass

import numpy as np

__all__ = ["PAGE", "YEAR", "Flagged", "Recovered", "compare"]

YEAR = 365.25
PAGE = 1000
"""Rows of a page that are asked for."""


@dataclass(frozen=True)
class Recovered:
    """How well a quantity came back.

    Attributes
    ----------
    difference
        Median of measured less true, in the unit.
    bias, spread, beyond
        Of the differences in units of their stated errors: median, the size that 68 % stay below,
        and the share that exceeds 3; NaN where no errors are stated.
    """

    monitor: str
    quantity: str
    unit: str
    values: int
    difference: float
    bias: float
    spread: float
    beyond: float


@dataclass(frozen=True)
class Flagged:
    """What a monitor measured, what of it had an injected fault that it must flag, and what it
    flagged.
    """

    monitor: str
    fault: str
    measured: int
    injected: int
    found: int
    others: int


def compare(
    monitor: str, quantity: str, unit: str, pairs: object, *, errors: bool = True
) -> Recovered:
    """Compare values with the truth.

    Parameters
    ----------
    monitor, quantity, unit
        What they are.
    pairs
        Measured less true and its stated error of each value, shape (n, 2).
    errors
        Whether errors are stated; otherwise those of ``pairs`` are left out.
    """
    difference, error = np.array(pairs, dtype=float).reshape(-1, 2).T
    if not len(difference):
        return Recovered(monitor, quantity, unit, 0, *[np.nan] * 4)
    pull = difference / error if errors else np.zeros(0)
    pull = pull[np.isfinite(pull)]
    known = len(pull) > 0
    return Recovered(
        monitor,
        quantity,
        unit,
        len(difference),
        float(np.median(difference)),
        float(np.median(pull)) if known else np.nan,
        float(np.percentile(np.abs(pull), 68.3)) if known else np.nan,
        float(np.mean(np.abs(pull) > 3)) if known else np.nan,
    )
