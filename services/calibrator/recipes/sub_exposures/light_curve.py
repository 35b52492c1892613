"""Light curve made of the spectra of sub-exposures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from services.calibrator.recipes.edits.changes import SubExposure

__all__ = ["Part", "write_light_curve"]

_AIRGLOW = (
    (1134.165, 1134.980, 100.0),
    (1199.550, 1200.710, 100.0),
    (1215.670, 1215.670, 250.0),
    (1302.168, 1306.029, 100.0),
    (1355.598, 1358.512, 100.0),
)
"""First and last wavelength of multiplets, Angstrom, and pixels to each side that they fill
(`calcos.airglow`).
"""

_COLUMNS = (
    ("part", "14A", None),
    ("exposure", "9A", None),
    ("segment", "4A", None),
    ("mjd", "1D", "d"),
    ("start", "1D", "s"),
    ("stop", "1D", "s"),
    ("exptime", "1D", "s"),
    ("counts", "1D", "count"),
    ("net", "1D", "count / s"),
    ("net_error", "1D", "count / s"),
    ("background", "1D", "count / s"),
    ("flux", "1D", "erg / (s cm2 Angstrom)"),
    ("flux_error", "1D", "erg / (s cm2 Angstrom)"),
    ("points", "1J", None),
)
"""Name, FITS format and unit of the columns."""


Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """A sub-exposure that was calibrated.

    Attributes
    ----------
    which
        The sub-exposure.
    intervals
        Its times since EXPSTART, second, as its events were chosen.
    exposed
        Its good times, second: what is left of these.
    x1d
        Its spectra.
    """

    which: SubExposure
    intervals: tuple[tuple[float, float], ...]
    exposed: tuple[tuple[float, float], ...]
    x1d: Path


def write_light_curve(
    parts: Sequence[Part], wavelengths: tuple[float, float] | None, target: Path
) -> None:
    """Add up the spectrum of each sub-exposure and segment.

    Rates are sums over the points that the data quality lets count; the flux is the mean with the
    sensitivity as its weight, NaN where FLUXCORR was omitted. The errors are those of the counts,
    the background's among them (Poisson).

    Parameters
    ----------
    parts
        Sub-exposures.
    wavelengths
        Range that is added up, Angstrom; None for all but the airglow lines.
    target
        New FITS file, with a row of each sub-exposure and segment in the table LIGHTCURVE.
    """
    rows = [row for part in parts for row in _rows(part, wavelengths)]
    columns = [
        fits.Column(name, form, unit=unit, array=[row[name] for row in rows])
        for name, form, unit in _COLUMNS
    ]
    fits.BinTableHDU.from_columns(columns, name="LIGHTCURVE").writeto(target)


def _rows(part: Part, wavelengths: tuple[float, float] | None) -> list[dict[str, Any]]:
    with fits.open(part.x1d) as hdus:
        header = hdus[1].header
        seconds = sum(stop - start for start, stop in part.exposed)
        middle = sum((stop - start) * (stop + start) / 2 for start, stop in part.exposed) / seconds
        common = {
            "part": part.which.file,
            "exposure": part.which.exposure,
            "mjd": float(header["EXPSTART"]) + middle / 86400.0,
            "start": part.exposed[0][0],
            "stop": part.exposed[-1][1],
        }
        return [common | _sums(row, wavelengths) for row in hdus[1].data]


def _sums(row: fits.FITS_record, wavelengths: tuple[float, float] | None) -> dict[str, Any]:
    wave, net, counts = (
        np.asarray(row[name], np.float64) for name in ("WAVELENGTH", "NET", "GCOUNTS")
    )
    exptime = float(row["EXPTIME"])
    used = (np.asarray(row["DQ_WGT"]) > 0) & _wanted(wave, wavelengths)
    rate, error = float(net[used].sum()), float(np.sqrt(counts[used].sum())) / exptime
    sensitivity = float(_sensitivity(wave, net, np.asarray(row["FLUX"], np.float64))[used].sum())
    return {
        "segment": str(row["SEGMENT"]).strip(),
        "exptime": exptime,
        "counts": float(counts[used].sum()),
        "net": rate,
        "net_error": error,
        "background": float(np.asarray(row["BACKGROUND"], float)[used].sum()),
        "flux": rate / sensitivity if sensitivity else np.nan,
        "flux_error": error / sensitivity if sensitivity else np.nan,
        "points": int(used.sum()),
    }


def _sensitivity(wave: Numbers, net: Numbers, flux: Numbers) -> Numbers:
    """Return the rate of a unit of flux.

    It is smooth, so points without a count have that of their neighbours.
    """
    known = (net != 0) & (flux != 0)
    order = np.argsort(wave[known])
    if not known.any():
        return np.zeros_like(wave)
    return np.asarray(
        np.interp(wave, wave[known][order], (net[known] / flux[known])[order]), np.float64
    )


def _wanted(wave: Numbers, wavelengths: tuple[float, float] | None) -> NDArray[np.bool_]:
    if wavelengths is not None:
        return (wave >= wavelengths[0]) & (wave < wavelengths[1])
    wanted = np.ones(len(wave), bool)
    pixel = float(np.median(np.abs(np.diff(wave))))
    for first, last, width in _AIRGLOW:
        wanted &= (wave < first - width * pixel) | (wave > last + width * pixel)
    return wanted
