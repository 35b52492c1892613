"""Robust statistics of a monitor's values, and the outliers that they show."""

from collections.abc import Mapping

import numpy as np

__all__ = ["MAD_TO_SIGMA", "PERIODS", "describe", "outliers_of_group", "robust_sigma", "summarise"]

MAD_TO_SIGMA = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""

PERIODS = ("mission", "configuration", "month")
"""Whole mission, since the last change of configuration, and the last `_MONTH_DAYS` days."""

_MONTH_DAYS = 30.0


_WINDOW, _LEAST = 25, 10
"""Values that a window has at least, reaching farther back for them, and those without which nothing is an outlier: the
median absolute deviation of a few values is often far too small."""


def robust_sigma(values: np.ndarray) -> float:
    """Scatter of values by their median absolute deviation; 0 for fewer than two.

    Parameters
    ----------
    values
        Finite values, shape (n,).
    """
    if len(values) < 2:
        return 0.0
    return float(np.median(np.abs(values - np.median(values)))) * MAD_TO_SIGMA


def describe(values: np.ndarray) -> dict[str, float | int | None]:
    """Count, mean, median, scatter, extremes and percentiles of values.

    Parameters
    ----------
    values
        Shape (n,); those that are not finite are left out.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"n": 0} | dict.fromkeys(("mean", "median", "std", "sigma", "min", "max", "p95", "p99"))
    p95, p99 = np.percentile(finite, (95, 99))
    return {
        "n": len(finite),
        "mean": float(finite.mean()),
        "median": float(np.median(finite)),
        "std": float(finite.std(ddof=1)) if len(finite) > 1 else 0.0,
        "sigma": robust_sigma(finite),
        "min": float(finite.min()),
        "max": float(finite.max()),
        "p95": float(p95),
        "p99": float(p99),
    }


def summarise(mjd: np.ndarray, values: np.ndarray, changed: float | None = None) -> dict[str, Mapping[str, object]]:
    """Statistics of each period.

    Parameters
    ----------
    mjd
        Times, shape (n,).
    values
        Values, shape (n,).
    changed
        When the configuration last changed, MJD; None where it never did.
    """
    newest = float(mjd.max()) if len(mjd) else 0.0
    starts = (-np.inf, -np.inf if changed is None else changed, newest - _MONTH_DAYS)
    return {name: describe(values[mjd >= start]) for name, start in zip(PERIODS, starts, strict=True)}


def outliers_of_group(
    mjd: np.ndarray, values: np.ndarray, errors: np.ndarray, *, sigmas: float, days: float, floor: float = 0.0
) -> np.ndarray:
    """Which values lie above the trailing median by more than some scatter.

    Each value is held against the median of those in the days before and up to it, of the last `_WINDOW` where these
    are fewer; its scatter is the largest of the window's robust one, the value's own error and a floor.

    Parameters
    ----------
    mjd
        Times, shape (n,), in ascending order.
    values, errors
        Values and one-sigma errors, shape (n,).
    sigmas
        How many of its scatters a value may lie above.
    days
        Length of the window, d.
    floor
        Least scatter that is believed, as a fraction of the median.

    Returns
    -------
    ndarray of bool
        Shape (n,).
    """
    found = np.zeros(len(values), dtype=bool)
    starts = np.searchsorted(mjd, mjd - days)
    for index, start in enumerate(starts):
        window = values[max(min(start, index + 1 - _WINDOW), 0) : index + 1]
        if len(window) < _LEAST:
            continue
        median = float(np.median(window))
        error = errors[index] if np.isfinite(errors[index]) else 0.0
        scatter = max(robust_sigma(window), float(error), floor * abs(median))
        found[index] = values[index] > median + sigmas * scatter
    return found
