"""Figures as PNG or SVG, drawn by matplotlib."""

import io
import math
import re
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure as Canvas

from services.monitor.figures.description import (
    Figure,
    Heatmap,
    Line,
    Mark,
    Outline,
    Panel,
    Points,
    is_coloured,
)
from services.monitor.figures.palette import OUTLIER, SCALE, Styles
from shared.cos.times import UNIX_MJD

__all__ = ["draw"]

_WIDTH, _PANEL_HEIGHT = 10.0, 3.6
_LEFT, _RIGHT, _TOP, _BOTTOM, _BETWEEN = 0.9, 0.25, 0.7, 0.6, 0.9
"""Margins for labels, and the gap between rows of panels, inches. To measure the labels would
double the time.
"""
_BAR = 0.85
"""Room to the right of a panel for a colour bar's numbers and label, inches."""
_BAR_PLACE: dict[str, Any] = {"fraction": 0.03, "pad": 0.015, "aspect": 30}
_DAYS = (-700_000.0, 2_900_000.0)
"""Days from 1970-01-01 that matplotlib has dates for: years 53 to 9909."""
_MOST_LEGEND = 12
_MOST_LABELS = 10
"""Labels that the horizontal axis of a panel of the whole width has room for."""
_FEW_POINTS = 2000
"""Points of a panel among which the legend's best place is looked for, which takes seconds with
many.
"""

_COMMON_STYLE = re.compile(rb'<style type="text/css">\*\{([^}]*)\}</style>')
_INLINE_STYLE = re.compile(rb' style="([^"]*)"')


def draw(figure: Figure, kind: str) -> bytes:
    """Return the picture of a figure.

    Parameters
    ----------
    figure
        Figure.
    kind
        ``png`` or ``svg``.
    """
    panels = figure.shown
    rows = math.ceil(len(panels) / figure.columns)
    canvas = Canvas(figsize=(_WIDTH, 0.9 + rows * _PANEL_HEIGHT), dpi=110)
    canvas.suptitle(figure.title, y=1 - 0.15 / canvas.get_figheight(), va="top")
    grid = canvas.subplots(rows, figure.columns, sharex=figure.share_x, squeeze=False).ravel()
    _lay_out(
        canvas,
        rows,
        figure.columns,
        any(is_coloured(layer) for panel in panels for layer in panel.layers),
    )
    styles = Styles()
    for axes, panel in zip(grid, panels, strict=False):
        if panel.empty:
            axes.text(
                0.5,
                0.5,
                figure.nothing,
                ha="center",
                va="center",
                fontsize=14,
                transform=axes.transAxes,
            )
            axes.set_axis_off()
        else:
            _draw_panel(canvas, cast(Axes, axes), panel, styles, _MOST_LABELS // figure.columns)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return _without_styles(buffer.getvalue()) if kind == "svg" else buffer.getvalue()


def _without_styles(picture: bytes) -> bytes:
    """Say by attributes of an SVG what matplotlib says by inline styles, which the policy of
    answers refuses.
    """

    def attributes(found: re.Match[bytes]) -> bytes:
        pairs = (part.split(b":", 1) for part in found[1].split(b";") if part.strip())
        return b"".join(
            b' %s="%s"' % pair
            for pair in {name.strip(): text.strip() for name, text in pairs}.items()
        )

    if (common := _COMMON_STYLE.search(picture)) is not None:
        picture = picture.replace(common[0], b"", 1).replace(
            b"<svg", b"<svg" + attributes(common), 1
        )
    return _INLINE_STYLE.sub(attributes, picture)


def _lay_out(canvas: Canvas, rows: int, columns: int, bars: bool) -> None:
    """Leave the same room about all panels."""
    width, height = canvas.get_size_inches()
    right = _BAR if bars else _RIGHT
    panel_height = (height - _TOP - _BOTTOM - (rows - 1) * _BETWEEN) / rows
    panel_width = (width - columns * (_LEFT + right)) / columns
    canvas.subplots_adjust(
        left=_LEFT / width,
        right=1 - right / width,
        top=1 - _TOP / height,
        bottom=_BOTTOM / height,
        hspace=_BETWEEN / panel_height,
        wspace=(_LEFT + right) / panel_width,
    )


def _draw_panel(canvas: Canvas, axes: Axes, panel: Panel, styles: Styles, most_labels: int) -> None:
    for layer in panel.layers:
        if isinstance(layer, Mark):
            _draw_mark(axes, layer, panel)
        elif isinstance(layer, Heatmap):
            _draw_heatmap(canvas, axes, layer, panel)
        elif isinstance(layer, Outline):
            axes.plot(
                _x(layer.x, panel), _floats(layer.y), color="0.5", linestyle="--", label=layer.label
            )
        elif isinstance(layer, Line):
            style: Any = {"drawstyle": "steps-post"} if layer.steps else {}
            axes.plot(
                _x(layer.x, panel),
                _floats(layer.y),
                "--" if layer.dashed else "-",
                color=styles.colour(layer.label),
                label=layer.label,
                **style,
            )
        else:
            _draw_points(canvas, axes, layer, panel, styles)
    _finish(axes, panel, most_labels)


def _draw_points(canvas: Canvas, axes: Axes, layer: Points, panel: Panel, styles: Styles) -> None:
    x, y = _x(layer.x, panel), _floats(layer.y)
    if layer.outlier:
        axes.scatter(x, y, marker="x", color=OUTLIER, s=30, label=layer.label, zorder=3)
        return
    marker = styles.symbol(layer.label)[1]
    if layer.colour is not None:
        low, high = layer.colour_range or (None, None)
        dots = axes.scatter(
            x, y, c=_floats(layer.colour), marker=marker, cmap=SCALE, vmin=low, vmax=high, s=14
        )
        _add_bar(canvas, axes, dots, layer.colour_label)
        return
    colour = styles.colour(layer.label)
    if layer.error is not None:
        error = _floats(layer.error)
        # One line with gaps is drawn ten times faster than a line for each point.
        ends = np.stack([y - error, y + error, np.full(len(y), np.nan)], axis=1).ravel()
        axes.plot(np.repeat(x, 3), ends, color=colour, linewidth=0.6, alpha=0.5)
    axes.scatter(x, y, marker=marker, color=colour, s=12, label=layer.label)


def _draw_heatmap(canvas: Canvas, axes: Axes, layer: Heatmap, panel: Panel) -> None:
    values = np.ma.masked_invalid(np.array(layer.z, dtype=np.float64))
    low, high = layer.colour_range or (None, None)
    norm = LogNorm(low, high) if layer.log else Normalize(low, high)
    mesh = axes.pcolorfast(
        _x(list(layer.x_edges), panel), _floats(list(layer.y_edges)), values, cmap=SCALE, norm=norm
    )
    _add_bar(canvas, axes, mesh, layer.label)


def _add_bar(canvas: Canvas, axes: Axes, colours: ScalarMappable, label: str) -> None:
    """Add a colour bar; its small ticks would take longer than all else of a panel."""
    canvas.colorbar(colours, ax=axes, label=label, **_BAR_PLACE).minorticks_off()


def _draw_mark(axes: Axes, mark: Mark, panel: Panel) -> None:
    if mark.x is not None:
        place = float(_x([mark.x], panel)[0])
        axes.axvline(place, color="0.6", linestyle=":", linewidth=1, zorder=0)
        axes.text(
            place,
            0.98,
            mark.text,
            rotation=90,
            fontsize=7,
            ha="right",
            va="top",
            transform=axes.get_xaxis_transform(),
            clip_on=True,
        )
    elif mark.y is not None:
        axes.axhline(mark.y, color="0.6", linestyle=":", linewidth=1, zorder=0)
        axes.text(
            0.005,
            mark.y,
            mark.text,
            fontsize=7,
            va="bottom",
            transform=axes.get_yaxis_transform(),
            clip_on=True,
        )


def _finish(axes: Axes, panel: Panel, most_labels: int) -> None:
    axes.set(xlabel=panel.x_label, ylabel=panel.y_label)
    axes.set_title(panel.title, loc="left", fontsize=10)
    if panel.y_log:
        axes.set_yscale("log")
    if panel.x_range:
        axes.set_xlim(*_x(list(panel.x_range), panel))
    if panel.y_range:
        axes.set_ylim(*panel.y_range)
    if panel.x_is_time:
        locator = AutoDateLocator(minticks=3, maxticks=most_labels)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    else:
        axes.locator_params(axis="x", nbins=most_labels)
    if 0 < len(axes.get_legend_handles_labels()[1]) <= _MOST_LEGEND:
        points = sum(len(layer.x) for layer in panel.layers if isinstance(layer, Points))
        axes.legend(fontsize=8, loc="best" if points < _FEW_POINTS else "upper right")


def _floats(values: list[float | None]) -> Any:
    return np.array(values, dtype=np.float64)


def _x(values: list[float | None], panel: Panel) -> Any:
    """Return the coordinates.

    Of times the days since 1970-01-01, by which matplotlib counts, NaN where it has no date.
    """
    numbers = _floats(values)
    if not panel.x_is_time:
        return numbers
    days = numbers - UNIX_MJD
    return np.where((days > _DAYS[0]) & (days < _DAYS[1]), days, np.nan)
