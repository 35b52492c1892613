"""Straight lines through the brightness of groups of flashes, against time and lamp-on hours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.monitor.framework.declaration import Values
from services.monitor.monitors.lamps.brightness import Brightness, Group

__all__ = ["Trend", "fit_line", "trend_values", "trends_of"]

_LEAST = 10
"""Flashes without which no line is fitted."""
_LEAST_YEARS, _LEAST_HOURS = 0.5, 1.0
"""Spans without which no line is fitted."""
_YEAR, _HOURS = 365.25, 100.0
_PERCENT = 100.0


@dataclass(frozen=True)
class Trend:
    """Line through the relative rates of a group.

    Attributes
    ----------
    group
        The group.
    slopes
        Change in %/yr (``trend``) and in % in 100 h (``trend_hours``) with its one-sigma error, as
        far as there are enough flashes.
    """

    group: Group
    slopes: dict[str, tuple[float, float]]


def fit_line(x: np.ndarray, y: np.ndarray, error: np.ndarray) -> tuple[float, float]:
    """Return the slope of the weighted least-squares line and its one-sigma error.

    The error is that of the errors of the points, times the root of the reduced chi square where
    this is above 1.

    Parameters
    ----------
    x, y, error
        Points with one-sigma errors, shape (n,), of which two x or more differ.
    """
    weight = 1.0 / error**2
    middle = float(np.average(x, weights=weight))
    spread = float(np.sum(weight * (x - middle) ** 2))
    slope = float(np.sum(weight * (x - middle) * y)) / spread
    level = float(np.average(y, weights=weight))
    chi = float(np.sum(weight * (y - level - slope * (x - middle)) ** 2)) / max(len(x) - 2, 1)
    return slope, float(np.sqrt(max(chi, 1.0) / spread))


def trends_of(lamps: Brightness) -> list[Trend]:
    """Fit lines to the groups that have enough flashes, over a span that is long enough."""
    found = []
    years = (lamps.columns["mjd"] - lamps.columns["mjd"][0]) / _YEAR
    for group in lamps.groups:
        slopes = {}
        for name, x, span, unit in (
            ("trend", years, _LEAST_YEARS, 1.0),
            ("trend_hours", lamps.hours, _LEAST_HOURS, _HOURS),
        ):
            rows = group.rows
            known = lamps.counted[rows] & np.isfinite(x[rows]) & np.isfinite(lamps.relative[rows])
            rows = rows[known]
            if len(rows) >= _LEAST and np.ptp(x[rows]) >= span:
                line = fit_line(x[rows], lamps.relative[rows], lamps.relative_error[rows])
                slopes[name] = (_PERCENT * unit * line[0], _PERCENT * unit * line[1])
        if slopes:
            found.append(Trend(group, slopes))
    return found


def trend_values(trends: Sequence[Trend], newest: float) -> list[Values]:
    """Return the slopes of all groups as of the newest flash; the region is the group."""
    found = []
    for quantity in ("trend", "trend_hours"):
        mine = [one for one in trends if quantity in one.slopes]
        count = len(mine)
        slopes = np.array([one.slopes[quantity] for one in mine], dtype=float).reshape(-1, 2)
        nothing, texts = np.full(count, np.nan), np.full(count, None, dtype=object)
        found.append(
            Values(
                quantity=quantity,
                mjd=np.full(count, newest),
                value=slopes[:, 0],
                error=slopes[:, 1],
                rootname=texts,
                segment=texts,
                region=np.array([one.group.name for one in mine], dtype=object),
                hvlevel=nothing,
                life_adj=nothing,
                file_id=nothing,
                outlier=np.zeros(count, dtype=bool),
            )
        )
    return found
