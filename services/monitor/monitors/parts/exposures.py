"""What monitors of one value per exposure share: their values, outliers to both sides, and which of them are recent."""

import numpy as np

from services.monitor.monitors.framework.monitor import Columns, Values
from services.monitor.monitors.framework.statistics import outliers_of_group

__all__ = ["column", "outliers_to_both_sides", "recent", "take", "values_of", "voltage_changed"]

RECENT_DAYS = 30.0
"""Single exposures older than this against the newest are flagged, but no longer alarming."""


def take(columns: Columns, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of columns that a mask, or an order, chooses."""
    return {name: values[mask] for name, values in columns.items()}


def column(columns: Columns, name: str) -> np.ndarray:
    """Column by its name; NaN in every row where the query does not have it, shape (n,)."""
    return columns[name] if name in columns else np.full(len(columns["mjd"]), np.nan)


def recent(mjd: np.ndarray, days: float = RECENT_DAYS) -> np.ndarray:
    """Which times are within some days of the newest, boolean of shape (n,)."""
    found: np.ndarray = mjd > mjd.max(initial=0.0) - days
    return found


def values_of(
    quantity: str,
    columns: Columns,
    value: np.ndarray,
    error: np.ndarray | None = None,
    *,
    region: str | None = None,
    outlier: np.ndarray | None = None,
) -> Values:
    """Values of one quantity by exposure; those that are not finite are left out.

    Parameters
    ----------
    quantity
        Its name.
    columns
        Columns ``mjd``, ``rootname``, ``segment``, ``file_id`` and, where they apply, ``hvlevel`` and ``life_adj``.
    value, error
        Values and their one-sigma errors, shape (n,); no errors are unknown ones.
    region
        Part of the detector, or the coordinate, that they are of.
    outlier
        Which of them a rule hit, boolean of shape (n,); None for none.
    """
    count = len(value)
    keep = np.isfinite(value)
    everything = Values(
        quantity, columns["mjd"], value, np.full(count, np.nan) if error is None else error, columns["rootname"],
        columns["segment"], np.full(count, region, dtype=object), column(columns, "hvlevel"),
        column(columns, "life_adj"), columns["file_id"], np.zeros(count, dtype=bool) if outlier is None else outlier,
    )  # fmt: skip
    arrays = {name: array[keep] for name, array in vars(everything).items() if name != "quantity"}
    return Values(quantity, **arrays)


def outliers_to_both_sides(
    mjd: np.ndarray, values: np.ndarray, errors: np.ndarray, *, sigmas: float, days: float, floor: float = 0.0
) -> np.ndarray:
    """Which values lie above or below the trailing median by more than some scatter; NaN never does.

    Parameters are those of `services.monitor.monitors.framework.statistics.outliers_of_group`.
    """
    found = np.zeros(len(values), dtype=bool)
    known = np.isfinite(values)
    for sign in (1.0, -1.0):
        found[known] |= outliers_of_group(
            mjd[known], sign * values[known], errors[known], sigmas=sigmas, days=days, floor=floor
        )
    return found


def voltage_changed(columns: Columns) -> float | None:
    """When the voltage (column ``hvlevel``) last changed, MJD; None where it never did."""
    level = columns["hvlevel"]
    steps = np.flatnonzero(np.isfinite(level[1:]) & (level[1:] != level[:-1]))
    return float(columns["mjd"][steps[-1] + 1]) if len(steps) else None
