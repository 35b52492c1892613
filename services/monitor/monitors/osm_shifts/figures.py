"""Figures of shifts: against date, across against along, and differences."""

from collections.abc import Callable, Sequence

import numpy as np

from services.monitor.figures import Figure, Line, Mark, Panel
from services.monitor.figures.description import Layer, numbers, scatter
from services.monitor.framework.instrument_history import lifetime_marks
from services.monitor.library.exposure_values import points_of
from services.monitor.library.groups import codes_of, grouped, texts_of
from services.monitor.monitors.osm_shifts.differences import Difference
from services.monitor.monitors.osm_shifts.rules import ACROSS_PAIR, ALONG_PAIR
from services.monitor.monitors.osm_shifts.search_boxes import SearchBoxes, box_outlines
from services.monitor.monitors.osm_shifts.shifts import ROLLING_DAYS, RollingMean, Shifts

__all__ = ["shift_figures"]

_SHIFT = "Shift without FP-POS (pix)"
_ACROSS = "SHIFT_XDISP (pix)"
_LEFT_OUT = "Of flashes that enter no statistic, the series is named after the reason."

_DRAWN = ("mjd", "rootname", "note")
"""Columns of flashes that points are made of."""

More = Callable[[np.ndarray], Sequence[Layer]]
"""Further layers of a panel, of the flashes that it shows, by their places."""


def shift_figures(
    shifts: Shifts, differences: Sequence[Difference], means: Sequence[RollingMean]
) -> list[Figure]:
    """Draw all figures of a detector.

    Parameters
    ----------
    shifts, differences, means
        What they show.
    """
    columns = shifts.columns
    fuv = shifts.detector == "FUV"
    positions = texts_of("FP-POS {:.0f}", columns["fppos"])
    segments = columns["segment"]
    settings = texts_of("{:.0f} Angstrom", columns["cenwave"])

    def plain(_: np.ndarray) -> Sequence[Layer]:
        return ()

    def with_means(shown: np.ndarray) -> Sequence[Layer]:
        return _means(shifts, means, shown) + ([] if fuv else _boxes(shifts, shown))

    def figure(
        named: tuple[str, str],
        drawn: tuple[str, np.ndarray],
        series: np.ndarray,
        more: More = plain,
        x: np.ndarray | None = None,
    ) -> Figure:
        return _figure(shifts, named, drawn, series, more, x)

    shift, across = columns["x_shift"], columns["y_shift"]
    first = np.where(columns["flash"] == 1, shift, np.nan)
    by = "segment" if fuv else "stripe"
    along = (_SHIFT, shift)
    figures = [
        figure(("shift", "Shift along dispersion by FP-POS"), along, positions, with_means)
        if fuv
        else figure(("shift", "Shift along dispersion by stripe"), along, segments, with_means),
        figure(
            ("settings", "Shift of first flashes by central wavelength"), (_SHIFT, first), settings
        ),
    ]
    if not fuv:
        named = ("fp-pos", "Shift of first flashes by FP-POS")
        figures.append(figure(named, (_SHIFT, first), positions))
    return [
        *figures,
        _differences_figure(shifts, differences),
        figure(("across", f"Shift across dispersion by {by}"), (_ACROSS, across), segments),
        figure(
            ("both", "Shift across dispersion against shift along it"),
            (_ACROSS, across),
            segments,
            x=shift,
        ),
    ]


def _figure(
    shifts: Shifts,
    named: tuple[str, str],
    drawn: tuple[str, np.ndarray],
    series: np.ndarray,
    more: More,
    x: np.ndarray | None,
) -> Figure:
    """Draw a panel for each grating, against date where there is no other abscissa."""
    name, title = named
    label, value = drawn
    columns = shifts.columns
    series = np.where(shifts.status == "", series, shifts.status)
    points: dict[str, list[Layer]] = {}
    for (grating, one), rows in grouped(columns["opt_elem"], series):
        points.setdefault(grating, []).extend(_points(shifts, one, x, value, rows))
    panels = []
    for (grating,), shown in grouped(columns["opt_elem"]):
        layers = points[grating]
        if not layers:
            continue
        marks = lifetime_marks(columns["mjd"][shown]) if x is None else []
        if shifts.detector == "NUV":
            marks = []
        panels.append(
            Panel(
                x_label="Date" if x is None else _SHIFT,
                y_label=label,
                layers=[*layers, *more(shown), *marks],
                title=grating,
                x_is_time=x is None,
            )
        )
    caption = f"Each point is a flash in a segment; crosses are outliers. {_LEFT_OUT}"
    if name == "shift":
        caption += f" Lines: means of the {ROLLING_DAYS:.0f} days before and up to each exposure."
        caption += (
            " Dotted: lifetime positions."
            if shifts.detector == "FUV"
            else " Dashed: boxes in which CalCOS looks."
        )
    return Figure(name=name, title=title, caption=caption, panels=panels, share_x=x is None)


def _points(
    shifts: Shifts, label: str, x: np.ndarray | None, value: np.ndarray, rows: np.ndarray
) -> list[Layer]:
    columns = {name: shifts.columns[name][rows] for name in _DRAWN}
    along = columns["mjd"] if x is None else x[rows]
    return scatter(label, points_of(columns, along, value[rows], outlier=shifts.outlier[rows]))


def _means(shifts: Shifts, means: Sequence[RollingMean], shown: np.ndarray) -> list[Layer]:
    names = codes_of(shifts.group[shown])[1]
    return [
        Line(
            label=f"mean, {one.name}",
            x=numbers(one.columns["mjd"], None),
            y=numbers(one.mean),
        )
        for one in means
        if one.name in names
    ]


def _boxes(shifts: Shifts, shown: np.ndarray) -> list[Layer]:
    mine = SearchBoxes(shifts.boxes.low[shown], shifts.boxes.high[shown])
    return list(box_outlines(shifts.columns["mjd"][shown], mine))


def _differences_figure(shifts: Shifts, differences: Sequence[Difference]) -> Figure:
    """Draw the differences of segments along and across dispersion, or of stripes along it."""
    panels = []
    fuv = shifts.detector == "FUV"
    for one in differences:
        compared = [(f"{one.name} (pix)", one.compared, one.far, ALONG_PAIR.now)]
        if fuv:
            label = f"{one.name} across dispersion (pix)"
            compared.append((label, one.across, one.far_across, ACROSS_PAIR.now))
        for label, value, far, limit in compared:
            series = np.where(one.status == "", one.columns["opt_elem"], one.status)
            layers: list[Layer] = []
            for (name,), mine in grouped(series):
                columns = {drawn: one.columns[drawn][mine] for drawn in _DRAWN}
                points = points_of(columns, columns["mjd"], value[mine], outlier=far[mine])
                layers += scatter(name, points)
            if fuv:
                layers += [Mark(text="limit", y=side * limit) for side in (-1.0, 1.0)]
                layers += lifetime_marks(one.columns["mjd"])
            panels.append(Panel(x_label="Date", y_label=label, layers=layers, x_is_time=True))
    limits = "dotted: limits." if fuv else "the rules say what they are compared with."
    return Figure(
        name="difference",
        title="Differences of segments" if fuv else "Differences of stripes",
        caption="Difference of the shifts of two segments at the same flash, without FP-POS where "
        f"the template is at hand; crosses are outliers; {limits} {_LEFT_OUT}",
        panels=panels,
        share_x=True,
        nothing="no flash is in two segments",
    )
