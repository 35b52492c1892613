"""Figures as Plotly JSON: what `plotly.js` draws, without a colour scheme, which is the page's."""

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np

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
from services.monitor.figures.palette import OUTLIER, Styles
from shared.cos.times import UNIX_MJD

__all__ = ["to_plotly"]

_PANEL_HEIGHT = 340
_MARGIN = {"t": 40, "r": 20, "b": 110, "l": 70}
_BETWEEN_ROWS = 80
"""Pixels for the title of an axis and that of the panel below."""
_LEGEND_BELOW = 62
"""Pixels from the lowest axis to the legend: its title lies between."""
_GAP = 0.08
_BAR = 0.1
"""Share of the figure's width that the colour bar of a panel takes, with its labels."""
_MOST_SVG = 2000
"""Points of a figure that SVG is fast enough for."""
_NUMBERS = {"exponentformat": "power", "minexponent": 5}
_NOTHING = {
    "xref": "paper",
    "yref": "paper",
    "x": 0.5,
    "y": 0.5,
    "showarrow": False,
    "font": {"size": 16},
}


def to_plotly(figure: Figure) -> dict[str, Any]:
    """Return the figure for ``Plotly.newPlot``: ``data`` and ``layout``.

    Parameters
    ----------
    figure
        Figure; times are MJD and become calendar dates (UTC).
    """
    panels = figure.shown
    rows = math.ceil(len(panels) / figure.columns)
    layout: dict[str, Any] = {
        "height": _MARGIN["t"] + rows * _PANEL_HEIGHT + _MARGIN["b"],
        "hovermode": "closest",
        "legend": {
            "orientation": "h",
            "y": -_LEGEND_BELOW / (rows * _PANEL_HEIGHT),
            "yanchor": "top",
        },
        "margin": _MARGIN,
        "separators": ".",
        "annotations": [],
        "shapes": [],
    }
    data: list[dict[str, Any]] = []
    shown: set[str] = set()
    styles = Styles()
    kind = _kind(panels)
    for number, panel in enumerate(panels, start=1):
        axes = _Axes(number, figure, rows, coloured=any(map(is_coloured, panel.layers)))
        layout |= axes.layout(panel)
        if panel.empty:
            layout["annotations"].append(_NOTHING | {"text": figure.nothing})
            layout |= {name: {"visible": False} for name in ("xaxis", "yaxis")}
        layout["annotations"] += axes.title(panel)
        traces: list[tuple[int, dict[str, Any]]] = []
        for layer in panel.layers:
            if isinstance(layer, Mark):
                shape, note = axes.mark(layer, panel)
                layout["shapes"].append(shape)
                layout["annotations"].append(note)
                continue
            trace = _trace(layer, panel, styles, axes, kind) | axes.names()
            trace["showlegend"] = trace.get("showlegend", True) and layer.label not in shown
            shown.add(layer.label)
            traces.append((_height(layer), trace))
        data += [trace for _, trace in sorted(traces, key=itemgetter(0))]
    return {"data": data, "layout": layout}


class _Axes:
    """Where a panel is."""

    def __init__(self, number: int, figure: Figure, rows: int, *, coloured: bool) -> None:
        row, column = divmod(number - 1, figure.columns)
        gap_x, gap_y = _GAP, _BETWEEN_ROWS / (rows * _PANEL_HEIGHT)
        width, height = (1 + gap_x) / figure.columns, (1 + gap_y) / rows
        self._suffix = "" if number == 1 else str(number)
        right = min(1.0, (column + 1) * width - gap_x)
        self._x = [column * width, right - _BAR if coloured else right]
        self._y = [max(0.0, 1 - (row + 1) * height + gap_y), min(1.0, 1 - row * height)]
        self._shared = figure.share_x and number > 1

    def colour_bar(self, title: str) -> dict[str, Any]:
        """Return the place of the panel's colour bar: right of it, as high."""
        bottom, top = self._y
        place = {
            "x": self._x[1],
            "xpad": 5,
            "y": (bottom + top) / 2,
            "len": top - bottom,
            "ypad": 0,
            "thickness": 14,
        }
        return place | {"title": {"text": title, "side": "right"}} | _NUMBERS

    def names(self) -> dict[str, str]:
        return {"xaxis": f"x{self._suffix}", "yaxis": f"y{self._suffix}"}

    def layout(self, panel: Panel) -> dict[str, Any]:
        x: dict[str, Any] = {
            "domain": self._x,
            "anchor": f"y{self._suffix}",
            "title": {"text": panel.x_label},
        }
        y: dict[str, Any] = {
            "domain": self._y,
            "anchor": f"x{self._suffix}",
            "title": {"text": panel.y_label},
        }
        x |= _NUMBERS
        y |= _NUMBERS
        if panel.x_is_time:
            x["type"] = "date"
        if self._shared:
            x["matches"] = "x"
        if panel.x_range:
            x["range"] = [_time(value) if panel.x_is_time else value for value in panel.x_range]
        if panel.y_log:
            y["type"] = "log"
        if panel.y_range:
            y["range"] = (
                [math.log10(value) for value in panel.y_range]
                if panel.y_log
                else list(panel.y_range)
            )
        return {f"xaxis{self._suffix}": x, f"yaxis{self._suffix}": y}

    def title(self, panel: Panel) -> list[dict[str, Any]]:
        if not panel.title:
            return []
        place = {
            "xref": "paper",
            "yref": "paper",
            "x": self._x[0],
            "y": self._y[1],
            "yanchor": "bottom",
        }
        return [place | {"xanchor": "left", "text": f"<b>{panel.title}</b>", "showarrow": False}]

    def mark(self, mark: Mark, panel: Panel) -> tuple[dict[str, Any], dict[str, Any]]:
        dotted = {"width": 1, "dash": "dot", "color": "#888888"}
        line: dict[str, Any] = {"type": "line", "line": dotted, "layer": "below"}
        note: dict[str, Any] = {
            "text": mark.text,
            "showarrow": False,
            "font": {"size": 10},
            "opacity": 0.8,
        }
        x_axis, y_axis = f"x{self._suffix}", f"y{self._suffix}"
        if mark.x is not None:
            x = _time(mark.x) if panel.x_is_time else mark.x
            across: dict[str, Any] = {
                "xref": x_axis,
                "yref": f"{y_axis} domain",
                "x0": x,
                "x1": x,
                "y0": 0,
                "y1": 1,
            }
            beside: dict[str, Any] = {
                "xref": x_axis,
                "yref": f"{y_axis} domain",
                "x": x,
                "y": 1,
                "textangle": -90,
            }
            return line | across, note | beside | {"xanchor": "right", "yanchor": "top"}
        across = {
            "xref": f"{x_axis} domain",
            "yref": y_axis,
            "x0": 0,
            "x1": 1,
            "y0": mark.y,
            "y1": mark.y,
        }
        height = math.log10(mark.y) if panel.y_log and mark.y else mark.y
        beside = {"xref": f"{x_axis} domain", "yref": y_axis, "x": 0, "y": height}
        return line | across, note | beside | {"xanchor": "left", "yanchor": "bottom"}


def _trace(
    layer: Points | Line | Heatmap | Outline, panel: Panel, styles: Styles, axes: _Axes, kind: str
) -> dict[str, Any]:
    if isinstance(layer, Heatmap):
        return _heatmap(layer, panel, axes)
    x = _times(layer.x) if panel.x_is_time else layer.x
    common: dict[str, Any] = {"type": kind, "name": layer.label, "x": x, "y": layer.y}
    if isinstance(layer, Outline):
        dotted = {"color": "#888888", "dash": "dash", "width": 2}
        return common | {"mode": "lines", "line": dotted, "hoverinfo": "name"}
    if isinstance(layer, Line):
        line = {
            "color": styles.colour(layer.label),
            "width": 2,
            "dash": "dash" if layer.dashed else "solid",
        }
        shape = {"shape": "hv"} if layer.steps else {}
        return common | {"mode": "lines", "line": line | shape}
    return common | _points(layer, styles, axes)


def _kind(panels: Sequence[Panel]) -> str:
    """Return the type of points and lines.

    WebGL only for many, since a browser has few of its contexts and may have no GPU.

    Lines are drawn as points are: WebGL lies over all SVG, whatever the order.
    """
    points = sum(
        len(layer.x) for panel in panels for layer in panel.layers if isinstance(layer, Points)
    )
    return "scattergl" if points > _MOST_SVG else "scatter"


def _height(layer: Points | Line | Heatmap | Outline) -> int:
    """Return how far above others a layer is drawn.

    Lines over points, which would hide them, and outliers over all.
    """
    if isinstance(layer, Points):
        return 2 if layer.outlier else 0
    return int(isinstance(layer, Line | Outline))


def _points(layer: Points, styles: Styles, axes: _Axes) -> dict[str, Any]:
    if layer.outlier:
        marker: dict[str, Any] = {
            "size": 9,
            "symbol": "x-thin",
            "color": OUTLIER,
            "line": {"width": 2, "color": OUTLIER},
        }
    else:
        marker = {
            "size": 6,
            "symbol": styles.symbol(layer.label)[0],
            "color": styles.colour(layer.label),
        }
    if is_coloured(layer):
        marker |= {"color": layer.colour, "colorscale": "Viridis", "showscale": True}
        marker["colorbar"] = axes.colour_bar(layer.colour_label)
        if layer.colour_range:
            marker["cmin"], marker["cmax"] = layer.colour_range
    trace: dict[str, Any] = {"mode": "markers", "marker": marker}
    if layer.error is not None:
        trace["error_y"] = {"type": "data", "array": layer.error, "thickness": 1, "width": 0}
    if layer.rootnames is not None:
        trace["customdata"] = layer.rootnames
    names, notes = (texts or [""] * len(layer.x) for texts in (layer.rootnames, layer.notes))
    trace["text"] = [
        f"{name}<br>{note}" if name and note else name or note
        for name, note in zip(names, notes, strict=True)
    ]
    return trace


def _heatmap(layer: Heatmap, panel: Panel, axes: _Axes) -> dict[str, Any]:
    edges = _times(layer.x_edges) if panel.x_is_time else layer.x_edges
    z: list[list[float | None]] = layer.z
    limits = layer.colour_range
    title = layer.label
    if layer.log:
        z = [[math.log10(value) if value and value > 0 else None for value in row] for row in z]
        limits = (math.log10(limits[0]), math.log10(limits[1])) if limits else None
        title = f"log10 {layer.label}"
    trace: dict[str, Any] = {
        "type": "heatmap",
        "name": layer.label,
        "x": edges,
        "y": layer.y_edges,
        "z": z,
        "colorscale": "Viridis",
        "colorbar": axes.colour_bar(title),
        "showlegend": False,
    }
    if limits:
        trace["zmin"], trace["zmax"] = limits
    return trace


def _time(mjd: float) -> str:
    return str(_calendar(np.array([mjd]))[0])


def _times(mjd: Sequence[float | None]) -> list[str | None]:
    """Return the calendar dates; None stays."""
    days = np.array(mjd, dtype=np.float64)
    known = np.isfinite(days)
    found = np.full(len(days), None, dtype=object)
    found[known] = _calendar(days[known])
    dates: list[str | None] = found.tolist()
    return dates


def _calendar(mjd: np.ndarray) -> np.ndarray:
    """Return ISO 8601 to the millisecond, text of shape (n,)."""
    milliseconds = np.rint((mjd - UNIX_MJD) * 86_400_000.0)
    found: np.ndarray = np.datetime_as_string(milliseconds.astype("datetime64[ms]"))
    return found
