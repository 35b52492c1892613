"""Robust statistics of a monitor's values, and the outliers that they show."""

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from shared.cos.times import is_believable

__all__ = ["MAD_TO_SIGMA", "PERIODS", "describe", "robust_sigma", "summarise", "trailing_outliers"]

MAD_TO_SIGMA = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""

PERIODS = ("mission", "configuration", "month")
"""Whole mission, since the last change of configuration, and the last `_MONTH_DAYS` days before the
newest value.
"""

_MONTH_DAYS = 30.0


_MOST_CELLS = 1 << 20
"""Values of windows that are looked at together."""

_WINDOW, _LEAST = 25, 10
"""Values that a window has at least, reaching farther back for them, and those without which
nothing is an outlier: the median absolute deviation of a few values is often far too small."""


def robust_sigma(values: np.ndarray) -> float:
    """Return the scatter of values by their median absolute deviation; 0 for fewer than two.

    Parameters
    ----------
    values
        Finite values, shape (n,).
    """
    if len(values) < 2:
        return 0.0
    return float(np.median(np.abs(values - np.median(values)))) * MAD_TO_SIGMA


def describe(values: np.ndarray) -> dict[str, float | int | None]:
    """Return the count, mean, median, scatter, extremes and percentiles of values.

    Of one value there is no scatter.

    Parameters
    ----------
    values
        Shape (n,); those that are not finite are left out.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"n": 0} | dict.fromkeys(
            ("mean", "median", "std", "sigma", "min", "max", "p95", "p99")
        )
    several = len(finite) > 1
    p95, p99 = np.percentile(finite, (95, 99))
    return {
        "n": len(finite),
        "mean": float(finite.mean()),
        "median": float(np.median(finite)),
        "std": float(finite.std(ddof=1)) if several else None,
        "sigma": robust_sigma(finite) if several else None,
        "min": float(finite.min()),
        "max": float(finite.max()),
        "p95": float(p95),
        "p99": float(p99),
    }


def summarise(
    mjd: np.ndarray, values: np.ndarray, changed: float | None = None
) -> dict[str, Mapping[str, object]]:
    """Return the statistics of each period.

    Parameters
    ----------
    mjd
        Times, shape (n,).
    values
        Values, shape (n,).
    changed
        When the configuration last changed, MJD; None where it never did.
    """
    newest = float(mjd[is_believable(mjd)].max(initial=0.0))
    starts = (-np.inf, -np.inf if changed is None else changed, newest - _MONTH_DAYS)
    return {
        name: describe(values[mjd >= start]) for name, start in zip(PERIODS, starts, strict=True)
    }


def trailing_outliers(
    mjd: np.ndarray, values: np.ndarray, errors: np.ndarray, *, sigmas: float, days: float
) -> np.ndarray:
    """Return which values lie above or below the trailing median by more than some scatter.

    NaN never does.

    Each value is compared with the median of those in the days before and up to it, of the last
    `_WINDOW` where these are fewer; its scatter is the larger one of the window's robust one and
    the value's own error.

    Parameters
    ----------
    mjd
        Times, shape (n,), in ascending order.
    values, errors
        Values and one-sigma errors, shape (n,).
    sigmas
        How many of its scatters a value may lie away.
    days
        Length of the window, d.

    Returns
    -------
    ndarray of bool
        Shape (n,).
    """
    found = np.zeros(len(values), dtype=bool)
    known = np.flatnonzero(np.isfinite(values))
    if len(known):
        mjd, values, errors = mjd[known], values[known], errors[known]
        end = np.arange(1, len(values) + 1)
        begin = np.maximum(np.minimum(np.searchsorted(mjd, mjd - days), end - _WINDOW), 0)
        number = end - begin
        cuts = -(-int(number.max()) * len(values) // _MOST_CELLS)
        parts = np.array_split(np.arange(len(values)), min(cuts, len(values)))
        far = [_far(values, errors, number, rows, sigmas) for rows in parts]
        found[known] = (number >= _LEAST) & np.concatenate(far)
    return found


def _far(
    values: np.ndarray, errors: np.ndarray, number: np.ndarray, rows: np.ndarray, sigmas: float
) -> np.ndarray:
    """Return which values of some rows lie far off the median of the last so many up to each."""
    number = number[rows]
    windows = _windows(values, number, rows)
    median = _medians(windows, number)
    away = np.abs(values[rows] - median)
    # Few lie off by their own errors, and only these are compared with the scatter.
    off = np.flatnonzero(away > sigmas * np.fmax(errors[rows], 0.0))
    scatter = _medians(np.abs(windows[off] - median[off, None]), number[off]) * MAD_TO_SIGMA
    found = np.zeros(len(rows), dtype=bool)
    found[off] = away[off] > sigmas * scatter
    return found


def _windows(values: np.ndarray, number: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the last so many values up to those of each row, after infinities.

    Shape (rows, largest number).
    """
    width = int(number.max())
    padded = np.concatenate([np.full(width - 1, np.inf), values])
    windows = sliding_window_view(padded, width)[rows[0] : rows[-1] + 1]
    return np.where(np.arange(width) >= width - number[:, None], windows, np.inf)


def _medians(rows: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return the median of the first smallest so many numbers of each row."""
    ranked, place = np.sort(rows, axis=1), np.arange(len(rows))
    medians: np.ndarray = (ranked[place, (number - 1) // 2] + ranked[place, number // 2]) / 2
    return medians
