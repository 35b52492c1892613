"""Summary of extracted spectra."""

import numpy as np

from services.ingestor.extractors.reading import Rows, Source, root_of
from shared.cos.detector import FUV_SEGMENTS, NUV_STRIPES
from shared.database.models.science import SpectrumSummary
from shared.fits import Columns

__all__ = ["extract_spectrum"]


def extract_spectrum(source: Source) -> Rows:
    """Row of ``data``: flux and wavelength of all segments together, and the rate of each; none for an empty table."""
    table = source.file.table(source.file.find("SCI"), ["SEGMENT", "GROSS", "FLUX", "WAVELENGTH"])
    flux = table["FLUX"].astype(np.float64).ravel()
    wavelength = table["WAVELENGTH"].astype(np.float64).ravel()
    flux, wavelength = flux[np.isfinite(flux)], wavelength[np.isfinite(wavelength)]
    if flux.size == 0 or wavelength.size == 0:
        return Rows(SpectrumSummary)
    row: dict[str, object] = {
        "rootname": root_of(source),
        "flux_mean": float(flux.mean()),
        "flux_max": float(flux.max()),
        "flux_std": float(flux.std()),
        "wl_min": float(wavelength.min()),
        "wl_max": float(wavelength.max()),
        **_rates(table),
    }
    return Rows(SpectrumSummary, [row])


def _rates(table: Columns) -> dict[str, object]:
    """Sum counts / s in the extraction box of each segment or stripe, by the letter that its name ends with."""
    rates = np.asarray(table["GROSS"], np.float64).reshape(len(table["SEGMENT"]), -1).sum(axis=1)
    return {
        f"gross_{str(segment).strip()[-1].lower()}": float(rate)
        for segment, rate in zip(table["SEGMENT"], rates, strict=True)
        if str(segment).strip() in (*FUV_SEGMENTS, *NUV_STRIPES) and np.isfinite(rate)
    }
