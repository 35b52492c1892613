"""Figures of the gain.

Maps, trends of regions, least gain along the detector, projected dates, one superpixel.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from services.monitor.figures import Figure, Heatmap, Line, Mark, Panel
from services.monitor.figures.description import Layer, numbers, scatter
from services.monitor.framework.declaration import Columns
from services.monitor.framework.instrument_history import annotation_marks, configuration_marks
from services.monitor.library.exposure_values import points_of, take
from services.monitor.monitors.gain.levels import Level
from services.monitor.monitors.gain.maps import GainMap
from services.monitor.monitors.gain.pixels import place_of, places_of
from services.monitor.monitors.gain.regions import ROWS, Region, within
from services.monitor.monitors.gain.rules import SAGGED
from shared.cos.detector import ACTIVE_AREAS, GAIN_SHAPE, X_BINNING, Y_BINNING
from shared.cos.instrument_history import Segment

__all__ = ["date_figures", "least_figure", "map_figures", "pixel_figure", "trend_figures"]

_CELL = (8, 2)
"""Superpixels along and across dispersion of a cell of the maps."""

_SMOOTHING = 51
"""Columns of the running mean of the least gain (legacy gain monitor)."""

_YEARS_AHEAD = 10.0
"""Projected dates are coloured up to so many years after the newest gain."""


def _years(mjd: np.ndarray) -> np.ndarray:
    """Return the Julian years."""
    return 2000.0 + (mjd - 51544.5) / 365.25


def _heatmap(label: str, segment: str, image: np.ndarray, limits: tuple[float, float]) -> Heatmap:
    """Return the least value of each cell: holes are narrower than cells."""
    area, (width, height) = ACTIVE_AREAS[segment], _CELL
    cells = np.fmin.reduce(
        image.reshape(GAIN_SHAPE[0] // height, height, GAIN_SHAPE[1] // width, width), axis=(1, 3)
    )
    bottom, top = int(area.y0) // (height * Y_BINNING), -int(-area.y1 // (height * Y_BINNING))
    x_edges = np.arange(cells.shape[1] + 1.0) * width * X_BINNING
    y_edges = np.arange(bottom, top + 1.0) * height * Y_BINNING
    z = [numbers(row, 5) for row in cells[bottom:top]]
    return Heatmap(
        label=label, x_edges=x_edges.tolist(), y_edges=y_edges.tolist(), z=z, colour_range=limits
    )


def _map_panel(one: GainMap, heatmap: Heatmap) -> Panel:
    return Panel(
        x_label="X (pix)",
        y_label="Y (pix)",
        layers=[heatmap],
        title=f"HV {one.level}, until MJD {one.mjd:.0f}",
    )


def _by_segment(maps: Sequence[GainMap]) -> Iterator[tuple[str, list[GainMap]]]:
    for segment in sorted({one.segment for one in maps}):
        yield segment, [one for one in maps if one.segment == segment]


def map_figures(maps: Sequence[GainMap]) -> Iterator[Figure]:
    """Yield the newest gain, a panel for each voltage."""
    caption = (
        "Newest modal gain at each high voltage, the newest voltage first: the lowest one of each "
        "cell of 64 by 4 "
        "pixels. Empty: no map has enough counts there."
    )
    for segment, mine in _by_segment(maps):
        panels = [
            _map_panel(
                one, _heatmap("Modal gain (bins)", segment, one.image("MOD_GAIN"), (0.0, 20.0))
            )
            for one in mine
        ]
        yield Figure(
            name=f"map-{segment.lower()}",
            title=f"Newest modal gain, {segment}",
            caption=caption,
            panels=panels,
            share_x=True,
        )


def date_figures(maps: Sequence[GainMap]) -> Iterator[Figure]:
    """Yield the projected year of a gain of 3, a panel for each voltage that has any."""
    caption = (
        "Year in which the line through the newest gains of a superpixel reaches 3, the earliest "
        "of each cell of 64 by "
        f"4 pixels; the colours end {_YEARS_AHEAD:.0f} years after the newest gain. Empty: too few "
        "gains, or none that "
        "surely fall."
    )
    for segment, mine in _by_segment(maps):
        newest = float(_years(np.array([max(one.mjd for one in mine)]))[0])
        panels = [
            _map_panel(
                one,
                _heatmap(
                    "Year of gain 3",
                    segment,
                    _years(one.image("PROJBAD")),
                    (newest, newest + _YEARS_AHEAD),
                ),
            )
            for one in mine
            if np.isfinite(one.pixels["sag"]).any()
        ]
        if panels:
            title = f"Projected date of sagging, {segment}"
            yield Figure(
                name=f"dates-{segment.lower()}",
                title=title,
                caption=caption,
                panels=panels,
                share_x=True,
            )


def least_figure(maps: Sequence[GainMap]) -> Figure:
    """Return the least gain in the rows of each lifetime position along the detector, at the
    voltage of the newest map.
    """
    panels = []
    for segment, (one, *_) in _by_segment(maps):
        layers: list[Layer] = []
        image = one.image("MOD_GAIN")
        for position, rows in ROWS[segment].items():
            least = np.fmin.reduce(image[within(np.arange(GAIN_SHAPE[0]), rows)], axis=0)
            known = np.flatnonzero(np.isfinite(least))
            if len(known):
                layers.append(
                    Line(
                        label=f"LP{position}",
                        x=numbers(known * X_BINNING),
                        y=numbers(_smooth(least[known])),
                    )
                )
        layers.append(Mark(text="sagged", y=SAGGED.now))
        panels.append(
            Panel(
                x_label="X (pix)",
                y_label="Least modal gain (bins)",
                layers=layers,
                title=f"{segment}, HV {one.level}",
            )
        )
    caption = (
        "Least newest gain in the rows of each lifetime position, running mean of 51 columns that "
        "have one, at the "
        "voltage of the newest map. Where airglow lands it is lowest."
    )
    return Figure(
        name="least",
        title="Least gain along the detector",
        caption=caption,
        panels=panels,
        share_x=True,
    )


def _smooth(values: np.ndarray) -> np.ndarray:
    kernel = np.ones(min(_SMOOTHING, len(values)))
    smooth: np.ndarray = np.convolve(values, kernel, "same") / np.convolve(
        np.ones(len(values)), kernel, "same"
    )
    return smooth


def trend_figures(regions: Sequence[Region]) -> Iterator[Figure]:
    """Yield the gain of the regions against date, a figure for each segment and a panel for each
    lifetime position.
    """
    caption = (
        "Median gain of each exposure in 2048 columns along the rows of a lifetime position, "
        "scaled to high-voltage "
        "level 178; crosses are outliers. Dashed: the lines fitted to the newest 730 days since "
        "the last move of "
        "spectra. Dotted: moves to new lifetime positions and steps of the voltage."
    )
    for segment in ("FUVA", "FUVB"):
        mine = [region for region in regions if region.segment == segment]
        panels = [
            _trend_panel(segment, [region for region in mine if region.life_adj == life_adj])
            for life_adj in sorted({region.life_adj for region in mine})
        ]
        if panels:
            title = f"Modal gain against date, {segment}"
            yield Figure(
                name=f"trend-{segment.lower()}",
                title=title,
                caption=caption,
                panels=panels,
                share_x=True,
            )


def _trend_panel(segment: Segment, regions: Sequence[Region]) -> Panel:
    layers: list[Layer] = []
    for region in regions:
        values = region.values
        columns = points_of(
            region.settings, values.mjd, region.reference, values.error, outlier=values.outlier
        )
        label = region.name.split(" ", 1)[1]
        layers += scatter(label, columns)
        if region.trend is not None:
            ends = np.array([region.trend.start, values.mjd[-1]])
            layers.append(
                Line(
                    label=f"{label}, trend",
                    x=numbers(ends, None),
                    y=numbers(region.trend.at(ends)),
                    dashed=True,
                )
            )
    mjd, level = (
        np.concatenate([vars(region.values)[name] for region in regions])
        for name in ("mjd", "hvlevel")
    )
    marks = [*configuration_marks(segment, mjd, level), *annotation_marks("FUV", mjd)]
    title = f"LP{regions[0].life_adj}"
    return Panel(
        x_label="Date",
        y_label="Modal gain at HV 178 (bins)",
        layers=[*layers, *marks],
        title=title,
        x_is_time=True,
    )


def pixel_figure(levels: Sequence[Level], files: Columns) -> Figure | None:
    """Return the histories of the superpixels that will sag first, with their lines.

    None where none will.

    Parameters
    ----------
    levels
        That of the newest voltage of each segment.
    files
        Files that gains are of.
    """
    panels = []
    for one in levels:
        layers: list[Layer] = []
        lines = one.pixels
        mine = np.flatnonzero(np.isin(lines["pixel"], one.next["pixel"]))
        for number in mine[np.argsort(lines["sag"][mine], kind="stable")]:
            gains = take(one.next, one.next["pixel"] == lines["pixel"][number])
            _, (y,), (x,) = place_of(lines["pixel"][number : number + 1])
            label = f"X {x * X_BINNING}, Y {y * Y_BINNING}, HV {one.level}"
            exposures = take(files, places_of(gains["file_id"], files))
            layers += scatter(label, points_of(exposures, gains["mjd"], gains["gain"]))
            ends = np.array([gains["mjd"][0], lines["sag"][number]])
            line = lines["intercept"][number] + lines["slope"][number] * ends
            text = f"{label}: {_years(ends)[1]:.2f} ± {lines['sag_error'][number] / 365.25:.2f}"
            layers.append(Line(label=text, x=numbers(ends, None), y=numbers(line), dashed=True))
        if layers:
            layers.append(Mark(text="sagged", y=SAGGED.now))
            panels.append(
                Panel(
                    x_label="Date",
                    y_label="Modal gain (bins)",
                    layers=layers,
                    title=one.segment,
                    x_is_time=True,
                )
            )
    caption = (
        "Of the superpixels that were measured at the newest voltage in the last 730 days, those "
        "that reach a gain of "
        "3 first, each with the line through its newest gains and the year in which that reaches 3."
    )
    return (
        Figure(name="next", title="Superpixels that sag next", caption=caption, panels=panels)
        if panels
        else None
    )
