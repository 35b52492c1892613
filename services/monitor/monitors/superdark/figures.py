"""Figures of the superdark monitor."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from services.monitor.figures import Figure, Heatmap, Line, Panel
from services.monitor.figures.description import Layer, PointColumns, numbers, scatter
from services.monitor.framework.instrument_history import lifetime_marks
from services.monitor.monitors.superdark.hot_spots import Spot
from services.monitor.monitors.superdark.maps import DarkMap, stacked, whole_cells
from shared.cos.dates import decimal_year
from shared.cos.detector import X_BINNING, Y_BINNING

__all__ = ["count_figure", "map_figures", "time_figure", "where_figure"]

_CELLS = {"FUVA": (8, 2), "FUVB": (8, 2), "NUV": (1, 4)}
"""Superpixels along and across dispersion of a cell of the maps' figures: 64 by 4 pixels, of the
NUV detector 8 by 8."""

_NONE = "no hot spots found"


def map_figures(newest: Mapping[str, Sequence[DarkMap]]) -> Iterator[Figure]:
    """Yield the figures of the newest superdark of each detector, all voltages and activities
    together.

    Parameters
    ----------
    newest
        Darks of the newest interval by detector.
    """
    for detector, maps in sorted(newest.items()):
        area, (width, height) = whole_cells(detector), _CELLS[detector]
        stack = stacked(maps, area)
        rows, columns = stack.shape[0] // height, stack.shape[1] // width
        cells = (
            stack[: rows * height, : columns * width]
            .reshape(rows, height, columns, width)
            .sum(axis=(1, 3))
        )
        pixels = width * height * X_BINNING * Y_BINNING
        rate = cells / (pixels * sum(one.exposure for one in maps))
        top = float(np.percentile(rate, 99.5))
        heatmap = Heatmap(
            label="Dark rate (counts / s / pix)",
            x_edges=((area.x0 + np.arange(columns + 1.0) * width) * X_BINNING).tolist(),
            y_edges=((area.y0 + np.arange(rows + 1.0) * height) * Y_BINNING).tolist(),
            z=[numbers(row, 3) for row in rate],
            colour_range=(0.0, top) if top > 0 else None,
        )
        days = f"MJD {maps[0].mjd:.0f} to {maps[-1].mjd:.0f}, {len(maps)} darks"
        size = "8 by 8" if detector == "NUV" else "64 by 4"
        heights = "of all events" if detector == "NUV" else "of pulse heights 2 to 23"
        yield Figure(
            name=f"map-{detector.lower()}",
            title=f"Newest superdark, {detector}",
            caption=f"Dark rate {heights} in cells of {size} pixels; the colours end at the 99.5th "
            "percentile, so that "
            "hot spots are yellow.",
            panels=[Panel(x_label="X (pix)", y_label="Y (pix)", layers=[heatmap], title=days)],
        )


def _by_detector(spots: Sequence[Spot]) -> dict[str, list[Spot]]:
    found: dict[str, list[Spot]] = {}
    for spot in spots:
        found.setdefault(spot.detector, []).append(spot)
    return dict(sorted(found.items()))


def where_figure(spots: Sequence[Spot]) -> Figure:
    """Return the figure of the places of hot spots."""
    panels = []
    for detector, mine in _by_detector(spots).items():
        points = PointColumns(
            x=np.array([(spot.x0 + spot.x1) / 2.0 * X_BINNING for spot in mine]),
            y=np.array([(spot.y0 + spot.y1) / 2.0 * Y_BINNING for spot in mine]),
            colour=decimal_year(np.array([spot.start for spot in mine])),
            notes=np.array(
                [f"{spot.rate:.3g} / s, MJD {spot.start:.1f} to {spot.stop:.1f}" for spot in mine],
                object,
            ),
        )
        panels.append(
            Panel(
                x_label="X (pix)",
                y_label="Y (pix)",
                layers=scatter(detector, points, "year"),
                title=detector,
            )
        )
    caption = "Centres of all hot spots, coloured by the time at which they came."
    return Figure(
        name="where", title="Where hot spots were", caption=caption, panels=panels, nothing=_NONE
    )


def time_figure(spots: Sequence[Spot], newest: float) -> Figure:
    """Return the figure of when hot spots were there, and how bright.

    Parameters
    ----------
    spots
        All of them.
    newest
        MJD of the newest dark.
    """
    panels = []
    for detector, mine in _by_detector(spots).items():
        ends = np.array([[spot.start, spot.stop, np.nan] for spot in mine]).ravel()
        rate = np.array([[spot.rate, spot.rate, np.nan] for spot in mine]).ravel()
        marks = lifetime_marks(np.array([np.nanmin(ends), newest]))
        layers: list[Layer] = [Line(label=detector, x=numbers(ends, None), y=numbers(rate)), *marks]
        panels.append(
            Panel(
                x_label="Date",
                y_label="Rate (counts / s)",
                layers=layers,
                title=detector,
                x_is_time=True,
                y_log=True,
            )
        )
    caption = (
        "Each line is a hot spot from the first to the last dark that shows it, at its mean rate "
        "above its "
        "surroundings. Dotted: moves to new lifetime positions."
    )
    return Figure(
        name="when",
        title="When hot spots were there",
        caption=caption,
        panels=panels,
        share_x=True,
        nothing=_NONE,
    )


def count_figure(spots: Sequence[Spot], newest: float) -> Figure:
    """Return the figure of how many hot spots there were.

    Parameters
    ----------
    spots
        All of them.
    newest
        MJD of the newest dark.
    """
    layers: list[Layer] = []
    for detector, mine in _by_detector(spots).items():
        changes = sorted(
            [(spot.start, 1) for spot in mine]
            + [(spot.stop, -1) for spot in mine if spot.before < np.inf]
        )
        mjd = np.array([time for time, _ in changes] + [newest])
        count = np.cumsum([change for _, change in changes] + [0])
        layers.append(Line(label=detector, x=numbers(mjd, None), y=numbers(count), steps=True))
    caption = "Hot spots that darks show at a time, by detector."
    return Figure(
        name="count",
        title="Number of hot spots against date",
        caption=caption,
        panels=[Panel(x_label="Date", y_label="Hot spots", layers=layers, x_is_time=True)],
        nothing=_NONE,
    )
