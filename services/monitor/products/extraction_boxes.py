"""Picture of where runs extracted their spectra: boxes on the images of the events."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from services.monitor.products.spectra import open_product
from services.monitor.queries.comparisons import FilePair
from shared.store import Store, StoredFile

__all__ = ["Band", "bands", "draw_extractions"]

Array = np.ndarray[Any, np.dtype[Any]]

_SPECTRUM, _BACKGROUND = "#d55e00", "#009e73"
_AROUND = 40
"""Rows shown beyond the outermost box."""

_ROWS = 1024
"""Rows of both detectors, pixel."""

_CELLS = 512
"""Columns of the picture."""

_COLUMNS = {"FUV": (0, 16384), "NUV": (-100, 1174)}
"""First column of the images that CalCOS extracts from, and the one behind the last, XFULL (pixel).
"""

_SPECTRUM_AT, _BACKGROUND_AT = {"FUV": 8192, "NUV": 537}, {"FUV": 8192, "NUV": 512}
"""Columns where the keywords SP_LOC and B_BKG hold (``extract.updateExtractionKeywords`` of CalCOS
3.6.2: the middle of the image for the spectrum, of the detector for the background), XFULL
(pixel)."""


@dataclass(frozen=True)
class Band:
    """Two edges across the image: rows (YFULL) at columns (XFULL), pixel."""

    x: Array
    lower: Array
    upper: Array
    background: bool = False
    inner: bool = False


def bands(row: Any, header: fits.Header, detector: str, algorithm: str) -> Iterator[Band]:
    """Yield the regions that CalCOS summed for a segment or stripe.

    Parameters
    ----------
    row
        Its row of the x1d table.
    header
        Header of that table.
    detector
        ``FUV`` or ``NUV``.
    algorithm
        ``BOXCAR`` or ``TWOZONE``.
    """
    side = str(row["SEGMENT"]).strip()[-1]
    x = np.arange(*_COLUMNS[detector])
    slope = float(header.get(f"SP_SLP_{side}", 0.0))
    for number in ("1", "2"):
        middle, height = (
            float(header.get(f"B_{name}{number}_{side}", -999)) for name in ("BKG", "HGT")
        )
        if middle > 0 and height > 0:
            centre = middle + slope * (x - _BACKGROUND_AT[detector])
            yield Band(x, centre - height / 2, centre + height / 2, background=True)
    if algorithm == "TWOZONE":
        for zone in ("OUTER", "INNER"):  # the first and the last row, of which all is taken
            first, last = (np.asarray(row[f"Y_{end}_{zone}"], float) for end in ("LOWER", "UPPER"))
            yield Band(x, first - 0.5, last + 0.5, inner=zone == "INNER")
    else:
        height = float(header[f"SP_HGT_{side}"])
        centre = float(header[f"SP_LOC_{side}"]) + slope * (x - _SPECTRUM_AT[detector])
        yield Band(x, centre - height / 2, centre + height / 2)


def draw_extractions(
    store: Store, names: tuple[str, str], found: Sequence[tuple[FilePair, FilePair]]
) -> bytes:
    """Draw the events of both runs with their boxes, a segment below the other.

    Spectrum, and background dashed.

    PNG.

    Parameters
    ----------
    store
        Where the files are.
    names
        What the runs are called.
    found
        What `pairing.find_events` found.
    """
    panels = [(name, *pair) for pairs in found for name, pair in zip(names, pairs, strict=True)]
    figure = Figure(figsize=(10, 3.4 * len(panels)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, spectrum, events) in zip(
        np.atleast_1d(figure.subplots(len(panels))), panels, strict=True
    ):
        _draw_panel(axes, store, spectrum, events)
        axes.set_title(f"{name}: {events.name.removesuffix('.gz')}", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_panel(axes: Axes, store: Store, spectrum: StoredFile, events: StoredFile) -> None:
    with open_product(store, events) as hdus:
        detector, segment = (
            str(hdus[0].header.get(name, "")).strip() for name in ("DETECTOR", "SEGMENT")
        )
        x, y = (np.asarray(hdus["EVENTS"].data[column], float) for column in ("XFULL", "YFULL"))
    with open_product(store, spectrum) as hdus:
        algorithm = str(hdus[0].header.get("XTRCTALG", "BOXCAR")).strip()
        rows = [
            row
            for row in hdus["SCI"].data
            if detector == "NUV" or str(row["SEGMENT"]).strip() == segment
        ]
        drawn = [
            band for row in rows for band in bands(row, hdus["SCI"].header, detector, algorithm)
        ]
    for band in drawn:
        colour, style = (_BACKGROUND, "--") if band.background else (_SPECTRUM, "-")
        axes.plot(
            band.x,
            band.lower,
            band.x,
            band.upper,
            color=colour,
            ls=style,
            lw=0.6 if band.inner else 1,
        )
    start, stop = _COLUMNS[detector]
    low = int(max(0, min((band.lower.min() for band in drawn), default=0) - _AROUND))
    high = int(min(_ROWS, max((band.upper.max() for band in drawn), default=_ROWS) + _AROUND))
    # A row holds what is half a pixel from its number at most.
    cells = np.arange(low, high + 1) - 0.5, np.linspace(start, stop, _CELLS + 1)
    image, _, _ = np.histogram2d(y, x, cells)
    extent = (start, stop, low - 0.5, high - 0.5)
    axes.imshow(
        np.log1p(image), origin="lower", aspect="auto", extent=extent, cmap="Greys", zorder=0
    )
    axes.set(xlim=extent[:2], ylim=extent[2:], xlabel="XFULL (pixel)", ylabel="YFULL (pixel)")
