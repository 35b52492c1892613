"""Calibrated spectra out of the stored products."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from services.monitor.queries.errors import NotFoundError
from services.monitor.tables.columns import Column, Values
from shared.store import Store, StoredFile

__all__ = [
    "COLUMNS",
    "Segment",
    "listed",
    "open_product",
    "plot",
    "read_segments",
    "values_of",
]

COLUMNS = (
    Column("segment", str, None, "Segment or stripe"),
    Column("wavelength", float, "Angstrom", "Wavelength"),
    Column("flux", float, "erg / (s cm2 Angstrom)", "Calibrated flux"),
    Column("error", float, "erg / (s cm2 Angstrom)", "Error of the flux"),
    Column("dq_wgt", float, None, "Weight: 0 where the data quality forbids use"),
)
_SEGMENT_COLOURS = {
    "FUVA": "#0072b2",
    "FUVB": "#d55e00",
    "NUVA": "#0072b2",
    "NUVB": "#009e73",
    "NUVC": "#d55e00",
}
"""Colours that remain apart without colour vision (Okabe and Ito)."""


@dataclass(frozen=True)
class Segment:
    """Spectrum of one segment.

    1-D arrays of one length, wavelength in Angstrom, flux in erg/s/cm2/Angstrom.
    """

    name: str
    wavelength: np.ndarray[Any, np.dtype[np.float64]]
    flux: np.ndarray[Any, np.dtype[np.float64]]
    error: np.ndarray[Any, np.dtype[np.float64]]
    weight: np.ndarray[Any, np.dtype[np.float64]]

    @property
    def usable(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Where the flux is a number and the data quality allows its use."""
        finite = np.isfinite(self.flux) & np.isfinite(self.wavelength)
        usable: np.ndarray[Any, np.dtype[np.bool_]] = np.logical_and(finite, self.weight > 0)
        return usable


@contextmanager
def open_product(store: Store, file: StoredFile) -> Iterator[fits.HDUList]:
    """Open a stored FITS file, gzipped or not."""
    with store.open(f"{file.path}/{file.name}") as stream:
        content = gzip.decompress(stream.read()) if file.name.endswith(".gz") else stream.read()
    with fits.open(io.BytesIO(content)) as hdus:
        yield hdus


def read_segments(store: Store, file: StoredFile, segment: str | None) -> list[Segment]:
    """Return the spectra in a stored x1d or x1dsum file.

    Raises
    ------
    NotFoundError
        If it has no such segment.
    """
    with open_product(store, file) as hdus:
        table = hdus["SCI"].data
        found = [
            Segment(
                str(row["SEGMENT"]).strip(),
                *(
                    np.asarray(row[name], dtype=float)
                    for name in ("WAVELENGTH", "FLUX", "ERROR", "DQ_WGT")
                ),
            )
            for row in table
        ]
    chosen = [item for item in found if segment is None or item.name == segment.upper()]
    if not chosen and segment is not None:
        names = ", ".join(item.name for item in found)
        raise NotFoundError("no_segment", f"{file.name} has no segment {segment}; it has {names}")
    return chosen


def listed(array: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    """Return the array for JSON, which has no NaN: those become null."""
    values: list[float | None] = array.tolist()
    if not np.isfinite(array).all():
        return [value if ok else None for value, ok in zip(values, np.isfinite(array), strict=True)]
    return values


def values_of(segments: list[Segment]) -> dict[str, Values]:
    """Return the columns of a table with the spectra of all segments one after the other."""

    def joined(parts: list[Any]) -> Values:
        return np.ma.MaskedArray(np.concatenate(parts) if parts else np.zeros(0))

    return {
        "segment": joined([np.full(item.flux.size, item.name, dtype=object) for item in segments]),
        "wavelength": joined([item.wavelength for item in segments]),
        "flux": joined([item.flux for item in segments]),
        "error": joined([item.error for item in segments]),
        "dq_wgt": joined([item.weight for item in segments]),
    }


def plot(title: str, segments: list[Segment]) -> bytes:
    """Return the picture of a spectrum, PNG."""
    figure = Figure(figsize=(10, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for item in segments:
        good = item.usable
        order = np.argsort(item.wavelength[good])
        axes.plot(
            item.wavelength[good][order],
            item.flux[good][order],
            lw=0.6,
            label=item.name,
            color=_SEGMENT_COLOURS.get(item.name),
        )
    flux = (
        np.concatenate([item.flux[item.usable] for item in segments]) if segments else np.zeros(0)
    )
    if flux.size:
        low, high = np.percentile(flux, (0.5, 99.5))
        margin = 0.15 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
    axes.set(title=title, xlabel="wavelength (Å)", ylabel=r"flux (erg s$^{-1}$ cm$^{-2}$ Å$^{-1}$)")
    if segments:
        axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
