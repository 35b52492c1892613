"""Summary of extracted spectra."""

import numpy as np

from services.ingestor.extractors.reading import Rows, Source, root_of
from shared.database.models.science import SpectrumSummary

__all__ = ["extract_spectrum"]


def extract_spectrum(source: Source) -> Rows:
    """Row of ``data``: flux and wavelength of all segments together; none for an empty table."""
    table = source.file.table(source.file.find("SCI"), ["FLUX", "WAVELENGTH"])
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
    }
    return Rows(SpectrumSummary, [row])
