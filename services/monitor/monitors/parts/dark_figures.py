"""Figures of the dark monitors: rates against date and temperature, and how often each rate is."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.monitor.figures import Figure, Mark, Panel
from services.monitor.figures.description import Layer, Line, PointColumns, numbers, scatter
from services.monitor.monitors.framework.history import Dated, lifetime_marks, value_at
from services.monitor.monitors.framework.monitor import Columns
from services.monitor.monitors.parts.darks import HISTOGRAM_STEP, DarkRates

__all__ = ["histogram_figure", "rate_figure", "temperature_figure"]


def rate_figure(rates: Sequence[DarkRates], regions: Sequence[str], expected: Mapping[str, Sequence[Dated]]) -> Figure:
    """Figure of rate against date, a panel for each region."""
    panels = []
    for region in regions:
        layers: list[Layer] = []
        groups = [group for group in rates if group.region == region]
        for group in groups:
            layers += scatter(group.segment, _points(group))
            layers += _expected_line(group, expected.get(group.segment, ()), region == regions[0])
        if groups:
            layers += lifetime_marks(np.concatenate([group.values.mjd for group in groups]))
        panels.append(Panel("Date", "Dark rate (counts / s / pix)", layers, title=region, x_is_time=True))
    caption = (
        "Each point is one dark exposure outside the South Atlantic Anomaly, with its Poisson error; crosses are "
        "outliers. Dashed: the rate of the exposure-time calculator. Dotted: moves to new lifetime positions."
    )
    return Figure("rate", "Dark rate against date", caption, panels, share_x=True)


def _points(group: DarkRates) -> PointColumns:
    values = group.values
    notes = np.array(
        [
            ""
            if not np.isfinite(level)
            else f"HV {level:.0f}, {heat:.1f} C"
            if np.isfinite(heat)
            else f"HV {level:.0f}"
            for level, heat in zip(values.hvlevel, group.temperature, strict=True)
        ],
        dtype=object,
    )
    return PointColumns(
        values.mjd, values.value, values.error, rootnames=values.rootname, notes=notes, outliers=values.outlier
    )


def _expected_line(group: DarkRates, expected: Sequence[Dated], wanted: bool) -> list[Layer]:
    if not (wanted and expected and len(group.values.mjd)):
        return []
    last = float(group.values.mjd.max())
    x = [item.mjd for item in expected if item.mjd <= last]
    if not x:
        return []
    y = value_at(expected, np.array([*x, last]))
    return [Line(f"{group.segment} expected", numbers([*x, last], None), numbers(y), steps=True, dashed=True)]


def temperature_figure(rates: Sequence[DarkRates]) -> Figure:
    """Figure of rate against temperature, coloured by date."""
    panels = []
    for group in rates:
        warm = np.isfinite(group.temperature)
        years = 2000.0 + (group.values.mjd[warm] - 51544.5) / 365.25
        columns = PointColumns(
            group.temperature[warm], group.values.value[warm], group.values.error[warm], years,
            group.values.rootname[warm],
        )  # fmt: skip
        panels.append(
            Panel(
                "Temperature (deg C)",
                "Dark rate (counts / s / pix)",
                scatter(group.segment, columns, "year"),
                group.name,
            )
        )
    caption = "One point an exposure, coloured by its date: a trend along one colour is one with temperature."
    return Figure("temperature", "Dark rate against temperature", caption, panels, columns=max(1, len(panels)))


def histogram_figure(columns: Columns) -> Figure:
    """Figure of the distribution of the 25-s rates of each segment: all years, and the newest one."""
    panels = []
    for segment in sorted(set(columns["segment"].tolist())):
        mine = columns["segment"] == segment
        years = columns["year"][mine]
        newest = years.max()
        layers: list[Layer] = []
        for label, mask in (("whole mission", years > 0), (f"{newest:.0f}", years == newest)):
            steps, counts = columns["step"][mine][mask], columns["count"][mine][mask]
            unique, place = np.unique(steps, return_inverse=True)
            total = np.bincount(place, weights=counts)
            layers.append(Line(label, numbers(unique * HISTOGRAM_STEP), numbers(total / total.sum()), steps=True))
        layers += _quantiles(columns["step"][mine], columns["count"][mine])
        panels.append(Panel("Dark rate (counts / s / pix)", "Fraction of the 25-s bins", layers, segment, y_log=True))
    caption = (
        "Distribution of the rates of 25 s outside the South Atlantic Anomaly; lines mark median, 95 and 99 per cent."
    )
    return Figure("histogram", "How often which dark rate", caption, panels, columns=max(1, len(panels)))


def _quantiles(steps: np.ndarray, counts: np.ndarray) -> list[Layer]:
    order = np.argsort(steps)
    share = np.cumsum(counts[order]) / counts.sum()
    marks: list[Layer] = []
    for fraction, text in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %")):
        place = steps[order][np.searchsorted(share, fraction)]
        marks.append(Mark(text, x=float((place + 0.5) * HISTOGRAM_STEP)))
    return marks
