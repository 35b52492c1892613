"""Figures of drifts: against time since the last move of a mechanism, and as upstream has them."""

from collections.abc import Mapping

import numpy as np

from services.monitor.figures import Figure, Line, Mark, Panel
from services.monitor.figures.description import Layer, numbers, scatter
from services.monitor.library.exposure_values import points_of
from services.monitor.library.groups import grouped
from services.monitor.monitors.osm_drifts.decay import Decay, binned_medians
from services.monitor.monitors.osm_drifts.drifts import Drifts
from services.monitor.monitors.osm_drifts.rules import FAST
from shared.cos.dates import decimal_year

__all__ = ["drift_figures"]

_DRAWN = ("mjd", "rootname", "note")
_CURVE = 60
"""Points of a fitted curve."""

_LABELS = {"drift": "Drift along dispersion (pix/s)", "across": "Drift across it (pix/s)"}


def drift_figures(drifts: Drifts, fits: Mapping[tuple[str, str], Decay]) -> list[Figure]:
    """Draw drifts against the time since each mechanism moved: coloured by date, and by group.

    Parameters
    ----------
    drifts
        What they show.
    fits
        Decays by group and mechanism.
    """
    names = list(drifts.since)
    panels = [_dated(drifts, name, quantity) for quantity in _LABELS for name in names]
    dated = Figure(
        name="drift",
        title="Drift against time since the last move",
        caption="Each point is a flash after the first of its exposure, in a segment, coloured by "
        "date; crosses are outliers. Lines: medians of a quarter of a decade. Flashes of exposures "
        "without a schedule report are not here, but against date below.",
        panels=panels,
        columns=len(names),
        nothing="no schedule report of an exposure with two flashes yet",
    )
    groups = [
        _grouped(drifts, name, grating, rows, fits)
        for (grating,), rows in grouped(drifts.columns["opt_elem"])
        for name in names
    ]
    by_group = Figure(
        name="groups",
        title="Drift by grating, with its decay",
        caption="The same along dispersion, by lifetime position (FUV) or stripe (NUV). Dashed: "
        "A exp(-t / tau), fitted to each where there are 20 flashes.",
        panels=groups,
        columns=len(names),
        nothing="no schedule report of an exposure with two flashes yet",
    )
    return [dated, by_group, _date_figure(drifts)]


def _log(since: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = np.log10(since)
    return found


def _label(name: str) -> str:
    return f"log10 of time since {name.upper()} moved (s)"


def _points(
    drifts: Drifts, label: str, rows: np.ndarray, x: np.ndarray, y: np.ndarray, *, dated: bool
) -> list[Layer]:
    columns = {name: drifts.columns[name][rows] for name in _DRAWN}
    year = decimal_year(columns["mjd"]) if dated else None
    points = points_of(columns, x[rows], y[rows], colour=year, outlier=drifts.outlier[rows])
    return scatter(label, points, "year" if dated else "")


def _dated(drifts: Drifts, name: str, quantity: str) -> Panel:
    value = drifts.along if quantity == "drift" else drifts.across
    counted = np.flatnonzero(drifts.counted)
    layers = _points(drifts, "flashes", counted, _log(drifts.since[name]), value, dated=True)
    if layers:
        x, y = binned_medians(drifts.since[name][counted], value[counted])
        layers.append(Line(label="median", x=numbers(x), y=numbers(y)))
        if quantity == "drift":
            layers += [Mark(text="limit", y=side * FAST.now) for side in (-1.0, 1.0)]
    return Panel(x_label=_label(name), y_label=_LABELS[quantity], layers=layers)


def _grouped(
    drifts: Drifts,
    name: str,
    grating: str,
    shown: np.ndarray,
    fits: Mapping[tuple[str, str], Decay],
) -> Panel:
    counted = shown[drifts.counted[shown]]
    layers: list[Layer] = []
    curves: list[Layer] = []
    x = _log(drifts.since[name])
    for (one,), places in grouped(drifts.group[counted]):
        rows = counted[places]
        layers += _points(drifts, one, rows, x, drifts.along, dated=False)
        fit = fits.get((one, name))
        if fit is not None and np.isfinite(x[rows]).any():
            at = np.linspace(np.nanmin(x[rows]), np.nanmax(x[rows]), _CURVE)
            curve = fit.rate * np.exp(-(10.0**at) / fit.tau)
            curves.append(Line(label=f"decay, {one}", x=numbers(at), y=numbers(curve), dashed=True))
    return Panel(
        x_label=_label(name), y_label=_LABELS["drift"], layers=[*layers, *curves], title=grating
    )


def _date_figure(drifts: Drifts) -> Figure:
    """Draw all drifts against date: those that enter no statistic as what they are."""
    series = np.where(drifts.status == "", drifts.group, drifts.status)
    panels = []
    for label, value in zip(_LABELS.values(), (drifts.along, drifts.across), strict=True):
        layers: list[Layer] = []
        for (name,), rows in grouped(series):
            layers += _points(drifts, name, rows, drifts.columns["mjd"], value, dated=False)
        panels.append(Panel(x_label="Date", y_label=label, layers=layers, x_is_time=True))
    return Figure(
        name="date",
        title="Drift against date",
        caption="Every flash after the first of its exposure. Of flashes that enter no statistic, "
        "the series is named after the reason; pending are those without a schedule report.",
        panels=panels,
        share_x=True,
        nothing="no exposure has two flashes",
    )
