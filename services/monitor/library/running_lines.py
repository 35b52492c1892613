"""Lines of median slope through the exposures about each one, which single outliers do not move."""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from services.monitor.framework.declaration import Columns
from services.monitor.library.groups import distinct

__all__ = ["FEWEST", "away_from_lines", "away_within_settings", "settings_of"]

_WINDOW = 11
"""Exposures that a line is laid through."""

_WINDOW_OF_SETTING = 23
"""The same within a setting: those of half a dozen visits, so that a visit that is off does not
bend the line.
"""

FEWEST = 7
"""Exposures of a setting that a line, or a scatter of its own, needs."""


def away_within_settings(
    columns: Columns, values: np.ndarray, setting: Sequence[str]
) -> np.ndarray:
    """Return the distance of each value from the line through those of the same setting before and
    after it.

    Parameters
    ----------
    columns
        ``mjd``, in ascending order, and those of the setting.
    values
        Shape (n,).
    setting
        Names of the columns that decide where light falls, and with which gain.

    Returns
    -------
    ndarray
        Shape (n,); NaN where the value is not finite, or where there are fewer than 7 of its
        setting.
    """
    away = np.full(len(values), np.nan)
    number = settings_of(columns, setting)
    for one in np.unique(number):
        same = np.flatnonzero((number == one) & np.isfinite(values))
        if len(same) >= FEWEST:
            away[same] = away_from_lines(
                columns["mjd"][same], values[same], min(_WINDOW_OF_SETTING, len(same))
            )
    return away


def settings_of(columns: Columns, setting: Sequence[str]) -> np.ndarray:
    """Assign numbers to exposures, from 0 on.

    The same one where all columns of the setting are the same.

    Parameters
    ----------
    columns
        Any, of shape (n,).
    setting
        Names of those that make the setting.
    """
    return distinct(*(columns[name] for name in setting))[1]


def away_from_lines(mjd: np.ndarray, values: np.ndarray, window: int = _WINDOW) -> np.ndarray:
    """Return the distance of each value from the line through those before and after it.

    NaN where there are too few.

    Parameters
    ----------
    mjd
        Times in ascending order, shape (n,).
    values
        Finite values, shape (n,).
    window
        Values that a line is laid through.
    """
    if len(values) < window:
        return np.full(len(values), np.nan)
    # Times of one visit differ by less than the errors.
    times, near = (sliding_window_view(column, window) for column in (mjd, values))
    first, second = np.triu_indices(window, 1)
    days = times[:, second] - times[:, first]
    # NaN is sorted to the end.
    slopes = np.sort(
        np.where(days > 1.0, (near[:, second] - near[:, first]) / np.maximum(days, 1.0), np.nan),
        axis=1,
    )
    known, rows = np.count_nonzero(days > 1.0, axis=1), np.arange(len(days))
    slope = (
        slopes[rows, np.maximum(known - 1, 0) // 2] + slopes[rows, known // 2 % slopes.shape[1]]
    ) / 2.0
    slope = slope if known.all() else np.zeros(len(days))
    level = np.median(near - slope[:, None] * (times - times[:, :1]), axis=1)
    line = np.clip(np.arange(len(values)) - window // 2, 0, len(slope) - 1)
    away: np.ndarray = values - level[line] - slope[line] * (mjd - times[line, 0])
    return away
