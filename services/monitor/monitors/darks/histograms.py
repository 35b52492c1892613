"""Figure of the dark monitors: how often which rate is in 25 s."""

import numpy as np

from services.monitor.figures import Figure, Heatmap, Mark, Panel
from services.monitor.figures.description import Layer, Line, numbers
from services.monitor.framework.declaration import Columns
from services.monitor.monitors.darks.rates import HISTOGRAM_STEP

__all__ = ["histogram_figure"]

_MONTHS = 6
"""Newest months with a line of their own."""

_SHOWN = 0.995
"""Fraction of the bins that is shown."""

_CELLS = 80
"""Cells that it is shown in at most."""

_RATE, _FRACTION = "Dark rate (counts / s / pix)", "Fraction of the 25-s bins"


def histogram_figure(columns: Columns) -> Figure:
    """Return the figure of the distribution of the 25-s rates of each segment.

    Linear, logarithmic, and by calendar year.

    Parameters
    ----------
    columns
        Table ``histogram`` of `services.monitor.monitors.darks.rates.darks_by_files`.
    """
    panels, years = [], []
    for segment in sorted(set(columns["segment"].tolist())):
        mine = columns["segment"] == segment
        months, steps, counts = (columns[name][mine] for name in ("month", "step", "count"))
        fine = _Distribution(steps, counts)
        shown = (0.0, fine.quantile(_SHOWN))
        merged = np.ceil(shown[1] / HISTOGRAM_STEP / _CELLS)
        cells, width = np.floor(steps / merged), merged * HISTOGRAM_STEP
        newest = months > months.max() - _MONTHS
        layers: list[Layer] = [
            _line("whole mission", cells, counts, width),
            _line(f"last {_MONTHS} months", cells[newest], counts[newest], width),
        ]
        panels += [
            Panel(
                x_label=_RATE,
                y_label=_FRACTION,
                layers=[*layers, *fine.marks(named=not log)],
                title=segment,
                y_log=log,
                x_range=shown,
            )
            for log in (False, True)
        ]
        by_year = _by_year(np.floor(months / 12.0), cells, counts, width)
        years.append(
            Panel(
                x_label=_RATE,
                y_label="Year",
                layers=[by_year],
                title=f"{segment}, by year",
                x_range=shown,
            )
        )
    caption = (
        "Distribution of the rates of 25 s outside the South Atlantic Anomaly, up to that of 99.5 "
        "per cent of them. "
        "Lines mark mean and median, the median with 2 and 3 standard deviations, 95 and 99 per "
        "cent. At the end, the "
        "fractions of each calendar year."
    )
    return Figure(
        name="histogram",
        title="Distribution of dark rates",
        caption=caption,
        panels=[*panels, *years],
        columns=2,
    )


class _Distribution:
    """How many bins have which rate.

    ``rate`` (counts / (s pix), middles) ascending, and ``share`` (fractions).
    """

    def __init__(self, steps: np.ndarray, counts: np.ndarray) -> None:
        unique, place = np.unique(steps, return_inverse=True)
        self.rate = (unique + 0.5) * HISTOGRAM_STEP
        self.share = np.bincount(place, weights=counts) / counts.sum()

    def quantile(self, fraction: float) -> float:
        """Return the rate that a fraction of the bins does not exceed."""
        place = int(np.searchsorted(np.cumsum(self.share), fraction))
        return float(self.rate[min(place, len(self.rate) - 1)])

    def marks(self, *, named: bool) -> list[Mark]:
        """Mark mean, median, the latter and 2 and 3 standard deviations, 95 and 99 per cent."""
        mean = float(self.rate @ self.share)
        sigma = float(np.sqrt((self.rate - mean) ** 2 @ self.share))
        median = self.quantile(0.5)
        places = {
            "mean": mean,
            "median": median,
            "2σ": median + 2 * sigma,
            "3σ": median + 3 * sigma,
        }
        places |= {"95 %": self.quantile(0.95), "99 %": self.quantile(0.99)}
        return [Mark(text=text if named else "", x=place) for text, place in places.items()]


def _line(label: str, cells: np.ndarray, counts: np.ndarray, width: float) -> Line:
    """Return the fractions by rate, as steps from the lower edge of each cell on."""
    shown = cells <= _CELLS
    shares = (
        np.bincount(cells[shown].astype(int), weights=counts[shown], minlength=_CELLS + 1)
        / counts.sum()
    )
    return Line(
        label=label, x=numbers(np.arange(_CELLS + 1) * width), y=numbers(shares), steps=True
    )


def _by_year(years: np.ndarray, cells: np.ndarray, counts: np.ndarray, width: float) -> Heatmap:
    """Return the fractions of each calendar year by rate."""
    x_edges = np.arange(_CELLS + 1) * width
    y_edges = np.arange(years.min(), years.max() + 2)
    found, _, _ = np.histogram2d(years, (cells + 0.5) * width, (y_edges, x_edges), weights=counts)
    whole = np.bincount((years - years.min()).astype(int), weights=counts)
    shares = found / np.maximum(whole, 1.0)[:, None]
    rows = [numbers(np.where(row > 0, row, np.nan)) for row in shares]
    return Heatmap(
        label="fraction of the year's bins",
        x_edges=x_edges.tolist(),
        y_edges=y_edges.tolist(),
        z=rows,
    )
