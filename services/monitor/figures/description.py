"""Description of a figure, independent of how it is drawn.

Times are MJD everywhere; a panel with ``x_is_time`` is drawn with a calendar axis. Above
`MOST_POINTS` points a layer becomes a map of their density, with the outliers still drawn one by
one, so that a figure of a whole mission stays small.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass as checked

__all__ = [
    "LARGEST",
    "MOST_POINTS",
    "Figure",
    "Heatmap",
    "Line",
    "Mark",
    "Outline",
    "Panel",
    "PointColumns",
    "Points",
    "figure_from_json",
    "figure_to_json",
    "is_coloured",
    "numbers",
    "scatter",
]

MOST_POINTS = 20_000
"""Points of a layer that are drawn one by one."""

_DENSITY_BINS = (240, 120)
LARGEST = 1e30
"""No quantity of COS is as large; a figure leaves out what is, as it does what is not finite."""

_DIGITS = 6
"""Significant digits kept; times are kept whole, since an MJD to 0.1 s needs eleven."""

_MOST_DIGITS = 17
"""Significant digits of any float64."""

_EXACT_DIGITS = 15
"""Whole numbers of so many digits are exact in a float64."""

_POWERS = np.array([float(10**power) for power in range(23)])
"""Powers of ten that are."""

_STRICT = ConfigDict(extra="forbid")


def numbers(values: Any, digits: int | None = _DIGITS) -> list[float | None]:
    """Return the values as JSON has them.

    Rounded, None where they are not finite, or beyond what an axis can show.

    Each keeps as many significant digits, and at least as many of what they differ by: large values
    that are close together, such as dates, stay apart.

    Parameters
    ----------
    values
        Array, shape (n,).
    digits
        Significant digits; None keeps all.
    """
    array = np.asarray(values, dtype=np.float64).ravel()
    finite = np.abs(array) < LARGEST
    if digits is not None and finite.any():
        largest, span = float(np.abs(array[finite]).max()), float(np.ptp(array[finite]))
        more = math.floor(math.log10(largest / span)) if 0.0 < span < largest else 0
        array = _rounded(array, finite, min(digits + more, _MOST_DIGITS))
    found: list[float | None] = list(array.tolist())
    for place in np.flatnonzero(~finite).tolist():
        found[place] = None
    return found


def _rounded(array: np.ndarray, finite: np.ndarray, digits: int) -> np.ndarray:
    """Round to significant digits; what is not finite stays.

    A whole number over a power of ten, both of which a float64 holds exactly, is the one nearest to
    the decimal number: JSON says it with no more digits than that has.
    """
    rounded = array.copy()
    size = np.abs(array)
    places = np.zeros(len(array), dtype=np.int64)
    chosen = finite & (size > 0.0)
    places[chosen] = digits - 1 - np.floor(np.log10(size[chosen])).astype(np.int64)
    exact = chosen & (np.abs(places) < len(_POWERS)) & (digits <= _EXACT_DIGITS)
    right, left = exact & (places >= 0), exact & (places < 0)
    rounded[right] = np.rint(array[right] * _POWERS[places[right]]) / _POWERS[places[right]]
    rounded[left] = np.rint(array[left] / _POWERS[-places[left]]) * _POWERS[-places[left]]
    for place in np.flatnonzero(chosen & ~exact).tolist():
        rounded[place] = float(f"{array[place]:.{digits}g}")
    return rounded


@checked(config=_STRICT, kw_only=True)
class Points:
    """Separate values.

    Attributes
    ----------
    label
        Name in the legend.
    x, y
        Coordinates.
    error
        One-sigma error of `y`.
    colour
        Values that colour the points, instead of one colour for all.
    colour_label
        What they are, with the unit.
    rootnames
        Exposure of each point: where a click leads.
    notes
        Setting of each point, shown beside it.
    outlier
        Draw them as outliers, whatever the colour.
    colour_range
        Ends of the colour scale.
    """

    label: str
    x: list[float | None]
    y: list[float | None]
    error: list[float | None] | None = None
    colour: list[float | None] | None = None
    colour_label: str = ""
    rootnames: list[str | None] | None = None
    notes: list[str] | None = None
    outlier: bool = False
    colour_range: tuple[float, float] | None = None
    kind: Literal["points"] = "points"


@checked(config=_STRICT, kw_only=True)
class Line:
    """A curve, or steps that hold a value until the next."""

    label: str
    x: list[float | None]
    y: list[float | None]
    steps: bool = False
    dashed: bool = False
    kind: Literal["line"] = "line"


@checked(config=_STRICT, kw_only=True)
class Heatmap:
    """Values on a grid: `z` has a row per `y` cell, None where there is no value.

    Edges are one more than cells.
    """

    label: str
    x_edges: list[float]
    y_edges: list[float]
    z: list[list[float | None]]
    log: bool = False
    colour_range: tuple[float, float] | None = None
    kind: Literal["heatmap"] = "heatmap"


@checked(config=_STRICT, kw_only=True)
class Outline:
    """A closed contour, such as the SAA's."""

    label: str
    x: list[float | None]
    y: list[float | None]
    kind: Literal["outline"] = "outline"


@checked(config=_STRICT, kw_only=True)
class Mark:
    """A straight line across the panel: at an `x` (a date in the instrument's history) or at a `y`
    (a limit).
    """

    text: str
    x: float | None = None
    y: float | None = None
    kind: Literal["mark"] = "mark"


Layer = Annotated[Points | Line | Heatmap | Outline | Mark, Field(discriminator="kind")]


def is_coloured(layer: Layer) -> bool:
    """Return whether colours of a layer are numbers, which needs a bar."""
    return isinstance(layer, Heatmap) or (
        isinstance(layer, Points) and layer.colour is not None and not layer.outlier
    )


@checked(config=_STRICT, kw_only=True)
class Panel:
    """One pair of axes."""

    x_label: str
    y_label: str
    layers: list[Layer] = field(default_factory=list)
    title: str = ""
    x_is_time: bool = False
    y_log: bool = False
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None

    @property
    def empty(self) -> bool:
        """Whether it shows nothing but lines across."""
        return all(isinstance(layer, Mark) for layer in self.layers)


@checked(config=_STRICT, kw_only=True)
class Figure:
    """A figure: panels below each other, or in columns, with a title and a caption that says what
    one sees.

    Attributes
    ----------
    nothing
        What is said in place of axes where there is nothing to show.
    """

    name: str
    title: str
    caption: str
    panels: list[Panel]
    columns: int = 1
    share_x: bool = False
    nothing: str = "no data"

    @property
    def shown(self) -> list[Panel]:
        """Panels that have something to show; where none has, one that is empty."""
        return [panel for panel in self.panels if not panel.empty] or [
            Panel(x_label="", y_label="")
        ]


_ADAPTER: TypeAdapter[Figure] = TypeAdapter(Figure)


def figure_to_json(figure: Figure) -> bytes:
    """Return the figure as JSON text."""
    return _ADAPTER.dump_json(figure)


def figure_from_json(content: bytes) -> Figure:
    """Return the figure that JSON text describes.

    Raises
    ------
    pydantic.ValidationError
        If it is not the description of a figure.
    """
    return _ADAPTER.validate_json(content)


@dataclass(frozen=True, kw_only=True)
class PointColumns:
    """Columns of many points, as arrays of shape (n,).

    Attributes
    ----------
    x, y
        Coordinates, MJD in days for times.
    error, colour
        As in `Points`; None where there are none.
    rootnames, notes
        Text per point.
    outliers
        Boolean, which of them are outliers.
    """

    x: np.ndarray
    y: np.ndarray
    error: np.ndarray | None = None
    colour: np.ndarray | None = None
    rootnames: np.ndarray | None = None
    notes: np.ndarray | None = None
    outliers: np.ndarray | None = None


def scatter(
    label: str,
    columns: PointColumns,
    colour_label: str = "",
    colour_range: tuple[float, float] | None = None,
) -> list[Layer]:
    """Return the layers of a set of points.

    Themselves, their outliers apart, or their density where they are too many.

    Parameters
    ----------
    label
        Name in the legend.
    columns
        The points.
    colour_label, colour_range
        As in `Points`.
    """
    wrong = (
        np.zeros(len(columns.x), dtype=bool)
        if columns.outliers is None
        else columns.outliers.astype(bool)
    )
    regular = ~wrong
    layers: list[Layer] = []
    if np.count_nonzero(regular) > MOST_POINTS:
        layers.append(_density(label, columns.x[regular], columns.y[regular]))
    elif regular.any():
        layers.append(_points(label, columns, regular, colour_label, colour_range))
    chosen = np.flatnonzero(wrong)
    if len(chosen):
        far = np.zeros_like(wrong)
        # The newest are kept: those matter most.
        far[chosen[np.argsort(columns.x[chosen])][-MOST_POINTS:]] = True
        outliers = _points(f"{label}, outliers", columns, far, "", None)
        outliers.outlier, outliers.colour = True, None
        layers.append(outliers)
    return layers


def _points(
    label: str,
    columns: PointColumns,
    mask: np.ndarray,
    colour_label: str,
    colour_range: tuple[float, float] | None,
) -> Points:
    def some(values: np.ndarray | None) -> list[float | None] | None:
        return None if values is None else numbers(values[mask])

    def texts(values: np.ndarray | None) -> list[Any] | None:
        return None if values is None else values[mask].tolist()

    return Points(
        label=label,
        x=numbers(columns.x[mask], None),
        y=numbers(columns.y[mask]),
        error=some(columns.error),
        colour=some(columns.colour),
        colour_label=colour_label,
        rootnames=texts(columns.rootnames),
        notes=texts(columns.notes),
        colour_range=colour_range,
    )


def _density(label: str, x: np.ndarray, y: np.ndarray) -> Heatmap:
    finite = (np.abs(x) < LARGEST) & (np.abs(y) < LARGEST)
    counts, x_edges, y_edges = np.histogram2d(x[finite], y[finite], bins=_DENSITY_BINS)
    rows = [[None if count == 0 else float(count) for count in row] for row in counts.T]
    return Heatmap(
        label=f"{label}: points per cell",
        x_edges=x_edges.tolist(),
        y_edges=y_edges.tolist(),
        z=rows,
        log=True,
    )
