"""Picture of where a run extracted its spectra: boxes on the image of the events."""

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.errors import ApiError
from services.monitor.spectra import open_product
from shared.database.models.operations import Dataset, File
from shared.store import Store

__all__ = ["Extraction", "draw_extractions", "extraction_files"]

_SPECTRUM, _BACKGROUND = "#d55e00", "#009e73"
_AROUND = 40
"""Rows shown beyond the outermost box."""

_CELLS = 512
"""Columns of the picture."""

Extraction = tuple[str, File, File]
"""What a run is called, its spectrum of an exposure, and that exposure's events."""


async def extraction_files(
    session: AsyncSession, dataset: Dataset, runs: tuple[int | None, int], exposure: str | None
) -> list[Extraction]:
    """Find spectrum and events of one exposure in two runs: of the one that is named, else of the first that both have.

    Parameters
    ----------
    session
        Session.
    dataset
        Dataset.
    runs
        Ids; None for the current one.
    exposure
        Rootname.

    Raises
    ------
    ApiError
        404 if no exposure has both kinds of file in both runs.
    """
    found = []
    for run_id in runs:
        query = select(File).where(File.dataset_id == dataset.id, File.origin == "product")
        query = query.where(File.current if run_id is None else File.run_id == run_id)
        files = list((await session.execute(query.order_by(File.name))).scalars())
        events = {file.rootname: file for file in reversed(files) if file.suffix.startswith("corrtag")}
        spectra = {file.rootname: file for file in files if file.suffix == "x1d"}
        found.append({root: (spectra[root], events[root]) for root in spectra if root in events})
    both = sorted(root for root in found[0] if root in found[1] and exposure in (None, root) and root)
    if not both:
        raise ApiError(
            404, "no_events", "no exposure has its x1d and its corrtag file in both runs (COSMO_CALIBRATOR__KEEP)"
        )
    names = ["current run" if run_id is None else f"run {run_id}" for run_id in runs]
    return [(name, *files[both[0]]) for name, files in zip(names, found, strict=True)]


def draw_extractions(store: Store, extractions: list[Extraction]) -> bytes:
    """Draw the events of each run with its boxes: spectrum, and background dashed; PNG."""
    figure = Figure(figsize=(10, 3.4 * len(extractions)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, spectrum, events) in zip(
        np.atleast_1d(figure.subplots(len(extractions))), extractions, strict=True
    ):
        with open_product(store, events) as hdus:
            segment = str(hdus[0].header.get("SEGMENT", "")).strip()
            x, y = (np.asarray(hdus["EVENTS"].data[column], float) for column in ("XFULL", "YFULL"))
        columns = 16384 if segment.startswith("FUV") else 1274
        with open_product(store, spectrum) as hdus:
            rows = [row for row in hdus["SCI"].data if segment in ("N/A", "", str(row["SEGMENT"]).strip())]
            edges = [edge for row in rows for edge in _draw_boxes(axes, row, hdus["SCI"].header, columns)]
        low, high = int(max(0, min(edges) - _AROUND)), int(min(1024, max(edges) + _AROUND))
        image, _, _ = np.histogram2d(y, x, (np.arange(low, high + 1), np.linspace(0, columns, _CELLS + 1)))
        axes.imshow(
            np.log1p(image), origin="lower", aspect="auto", extent=(0, columns, low, high), cmap="Greys", zorder=0
        )
        axes.set(xlim=(0, columns), ylim=(low, high), xlabel="XFULL (pixel)", ylabel="YFULL (pixel)")
        axes.set_title(f"{name}: {events.name.removesuffix('.gz')}", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_boxes(axes: Any, row: Any, header: Any, columns: int) -> list[float]:
    """Draw the boxes of a segment or stripe; returns their lowest and highest rows."""
    side = str(row["SEGMENT"]).strip()[-1]
    x = np.linspace(0, columns - 1, 200)
    edges: list[float] = []
    slope = float(header.get(f"SP_SLP_{side}", 0.0))
    for number in ("1", "2"):
        middle, height = header.get(f"B_BKG{number}_{side}", -999), header.get(f"B_HGT{number}_{side}", -999)
        if middle > 0 and height > 0:
            edges += _band(axes, x, float(middle) + slope * (x - columns / 2), float(height), _BACKGROUND, "--")
    if "Y_LOWER_OUTER" in row.array.names:
        place = np.clip(x.astype(int), 0, len(row["Y_LOWER_OUTER"]) - 1)
        for zone in ("OUTER", "INNER"):
            lower, upper = (np.asarray(row[f"Y_{end}_{zone}"], float)[place] for end in ("LOWER", "UPPER"))
            axes.plot(x, lower, x, upper, color=_SPECTRUM, lw=1 if zone == "OUTER" else 0.6)
            edges += [float(lower.min()), float(upper.max())]
    else:
        middle, height = float(header[f"SP_LOC_{side}"]), float(header[f"SP_HGT_{side}"])
        edges += _band(axes, x, middle + slope * (x - columns / 2), height, _SPECTRUM, "-")
    return edges


def _band(axes: Any, x: Any, middle: Any, height: float, colour: str, style: str) -> list[float]:
    lower, upper = middle - height / 2, middle + height / 2
    axes.plot(x, lower, x, upper, color=colour, ls=style, lw=1)
    return [float(lower.min()), float(upper.max())]
