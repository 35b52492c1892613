"""Summary of extracted spectra."""

import numpy as np

from services.ingestor.extractors.reading import Rows, Source, root_of
from services.ingestor.extractors.tables import read_columns
from shared.cos.detector import FUV_SEGMENTS, NUV_STRIPES
from shared.database.models.science import SpectrumSummary
from shared.fits import Columns

__all__ = ["extract_spectrum"]


def extract_spectrum(source: Source) -> Rows:
    """Row of ``data``: flux and wavelength of all segments together, and the rate of each; none for an empty table."""
    arrays = ["GROSS", "FLUX", "WAVELENGTH"]
    table = read_columns(source, source.file.find("SCI"), [], arrays=arrays, texts=["SEGMENT"])
    known = {name: table[name][np.isfinite(table[name])] for name in arrays[1:] if name in table}
    if not known or any(values.size == 0 for values in known.values()):
        return Rows(SpectrumSummary)
    row: dict[str, object] = {"rootname": root_of(source), **_rates(table)}
    if (flux := known.get("FLUX")) is not None:
        row |= {"flux_mean": float(flux.mean()), "flux_max": float(flux.max()), "flux_std": float(flux.std())}
    if (wavelength := known.get("WAVELENGTH")) is not None:
        row |= {"wl_min": float(wavelength.min()), "wl_max": float(wavelength.max())}
    return Rows(SpectrumSummary, [row])


def _rates(table: Columns) -> dict[str, object]:
    """Sum counts / s in the extraction box of each segment or stripe, by the letter that its name ends with."""
    if not {"GROSS", "SEGMENT"} <= table.keys():
        return {}
    rates = np.asarray(table["GROSS"], np.float64).reshape(len(table["SEGMENT"]), -1).sum(axis=1)
    return {
        f"gross_{str(segment).strip()[-1].lower()}": float(rate)
        for segment, rate in zip(table["SEGMENT"], rates, strict=True)
        if str(segment).strip() in (*FUV_SEGMENTS, *NUV_STRIPES) and np.isfinite(rate)
    }
