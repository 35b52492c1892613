"""Summary of extracted spectra."""

import numpy as np
from astropy.io import fits

from services.ingestor.extractors.reading import Rows, column, root_of, table_of
from shared.database.models.science import SpectrumSummary

__all__ = ["extract_spectrum"]


def extract_spectrum(hdus: fits.HDUList, name: str) -> Rows:
    """Row of ``data``: flux and wavelength of all segments together; none for an empty table."""
    table = table_of(hdus, "SCI", name)
    flux = column(table, "SCI", "FLUX", name).astype(float).ravel()
    wavelength = column(table, "SCI", "WAVELENGTH", name).astype(float).ravel()
    flux = flux[np.isfinite(flux)]
    if flux.size == 0:
        return Rows(SpectrumSummary)
    row: dict[str, object] = {
        "rootname": root_of(hdus[0].header, name),
        "flux_mean": float(flux.mean()),
        "flux_max": float(flux.max()),
        "flux_std": float(flux.std()),
        "wl_min": float(wavelength.min()),
        "wl_max": float(wavelength.max()),
    }
    return Rows(SpectrumSummary, [row])
