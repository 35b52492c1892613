"""Summary of extracted spectra."""

import numpy as np

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.rows import Rows, Source, root_of
from services.ingestor.extractors.tables import read_columns
from shared.cos.detector import FUV_SEGMENTS, NUV_STRIPES
from shared.database.models.science import SpectrumSummary
from shared.fits import Columns

__all__ = ["EXTRACTORS", "extract_spectrum"]

_SUMMARISED = ("FLUX", "WAVELENGTH")


def extract_spectrum(source: Source) -> Rows:
    """Return the row of ``data``.

    Flux and wavelength of all segments together, and the rate of each.

    None for an empty table.

    Flux and wavelength are of the bins that have data; they are null where there are none.
    """
    arrays = ["GROSS", *_SUMMARISED, "DQ_WGT"]
    table = read_columns(source, source.file.find("SCI"), [], arrays=arrays, texts=["SEGMENT"])
    if not any(table[name].size for name in _SUMMARISED if name in table):
        return Rows(SpectrumSummary)
    row: dict[str, object] = {"rootname": root_of(source), **_rates(table)}
    if (flux := _data(table, "FLUX")).size:
        row |= {
            "flux_mean": float(flux.mean()),
            "flux_max": float(flux.max()),
            "flux_std": float(flux.std()),
        }
    if (wavelength := _data(table, "WAVELENGTH")).size:
        row |= {"wl_min": float(wavelength.min()), "wl_max": float(wavelength.max())}
    return Rows(SpectrumSummary, [row])


def _data(table: Columns, name: str) -> np.ndarray:
    """Return the finite values of a column in the bins that have data, shape (n,).

    None where there is no such column.

    A bin has data where its weight (``DQ_WGT``) is above 0; in a table without weights, where its
    wavelength is: zeros fill up a row.
    """
    values = np.asarray(table.get(name, ()), np.float64)
    weight = table.get("DQ_WGT", table.get("WAVELENGTH"))
    if weight is not None and weight.shape == values.shape:
        values = values[weight > 0]
    found: np.ndarray = values[np.isfinite(values)]
    return found


def _rates(table: Columns) -> dict[str, object]:
    """Sum counts / s in the extraction box of each segment or stripe, by the letter that its name
    ends with.
    """
    if not {"GROSS", "SEGMENT"} <= table.keys():
        return {}
    rates = np.asarray(table["GROSS"], np.float64).reshape(len(table["SEGMENT"]), -1).sum(axis=1)
    return {
        f"gross_{str(segment).strip()[-1].lower()}": float(rate)
        for segment, rate in zip(table["SEGMENT"], rates, strict=True)
        if str(segment).strip() in (*FUV_SEGMENTS, *NUV_STRIPES) and np.isfinite(rate)
    }


EXTRACTORS = (Extractor(table=SpectrumSummary, suffixes=("x1d",), extract=extract_spectrum),)
