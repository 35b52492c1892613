"""Reference files of spectra: where they fall, what wavelengths they have, how fluxes follow from
counts.
"""

from itertools import product
from typing import Any

import numpy as np
from astropy.io import fits

from simulator.instrument import decline as tds
from simulator.instrument.lamp import lamp_spectrum
from simulator.instrument.modes import (
    APERTURES,
    BOA_TRANSMISSION,
    GRATINGS,
    PROFILE_WING,
    Setting,
    setting,
    settings_of,
)
from simulator.references.keys import KINDS, Key
from simulator.references.writing import primary, table

__all__ = ["MAKERS", "PROFILE_ROWS", "REVISED_FLUX"]

PROFILE_ROWS = (28, 44)
"""Rows of the profile below and above the spectrum's centre.

The upper ones reach the second background region.
"""

REVISED_FLUX = 1.02
"""Sensitivity of the second version of FLUXTAB over that of the first."""

# CalCOS accepts shifts with a reduced chi-square between 1/N_SIGMA and N_SIGMA, and takes that of
# wavecal exposures from rates instead of counts, so that it is too small by their exposure time.
_CHI_SQUARE = 300.0
_FPOFFSETS = (-2, -1, 0, 1)
_KEYS = [("SEGMENT", "4A", ""), ("OPT_ELEM", "8A", ""), ("CENWAVE", "1J", "Angstrom")]
_APERTURE = ("APERTURE", "4A", "")
_EITHER = "ANY"  # CalCOS takes such a row for every aperture
_LAMP_COUNTS = {"FUV": 200000.0, "NUV": 5000.0}
_FUV_HEIGHT, _FUV_LAMP_HEIGHT = 41, 27
_NUV_HEIGHT = 57
_BACKGROUND = {"FUV": (-52, 52, 31), "NUV": (-70, 350, 41)}
_NUV_BACKGROUND = (100.0, 870.0)  # rows that are clear of all stripes of target and lamp


def _hdus(key: Key, extension: fits.BinTableHDU, **keywords: Any) -> fits.HDUList:
    return fits.HDUList([primary(KINDS[key.keyword].filetype, key.detector, **keywords), extension])


def _names(mode: Setting) -> tuple[str, str, int]:
    return mode.channel, mode.grating.name, mode.cenwave


def _extraction(key: Key) -> fits.HDUList:
    """Return the boxes for the target (PSA, BOA) and the lamp (WCA)."""
    columns = [
        *_KEYS,
        _APERTURE,
        ("SLOPE", "1D", ""),
        ("B_SPEC", "1D", "pixel"),
        ("HEIGHT", "1J", "pixel"),
    ]
    columns += [("B_BKG1", "1D", "pixel"), ("B_BKG2", "1D", "pixel")]
    columns += [(name, "1J", "pixel") for name in ("BWIDTH", "BHEIGHT", "B_HGT1", "B_HGT2")]
    below, above, tall = _BACKGROUND[key.detector]
    rows = []
    for mode in settings_of(key.detector):
        science, lamp = mode.science_row(key.life_adj), mode.lamp_row(key.life_adj)
        if key.detector == "FUV":
            target = (
                mode.science_slope,
                science,
                _FUV_HEIGHT,
                science + below,
                science + above,
                tall,
            )
            wavecal = (mode.lamp_slope, lamp, _FUV_LAMP_HEIGHT, lamp - 32, lamp + 32, 15)
        else:
            target = (mode.science_slope, science, _NUV_HEIGHT, *_NUV_BACKGROUND, tall)
            wavecal = (mode.lamp_slope, lamp, _NUV_HEIGHT, *_NUV_BACKGROUND, tall)
        boxes = {**dict.fromkeys(APERTURES, target), "WCA": wavecal}
        rows += [
            (*_names(mode), name, *box[:5], 100, box[5], box[5], box[5])
            for name, box in boxes.items()
        ]
    return _hdus(key, table(columns, rows), life_adj=key.life_adj)


def _two_zones(key: Key) -> fits.HDUList:
    columns = [*_KEYS, _APERTURE, ("B_SPEC", "1D", "pixel"), ("HEIGHT", "1J", "pixel")]
    columns += [("B_BKG1", "1D", "pixel"), ("B_BKG2", "1D", "pixel"), ("BWIDTH", "1J", "pixel")]
    columns += [("BHEIGHT", "1J", "pixel")]
    columns += [
        (name, "1D", "") for name in ("LOWER_OUTER", "LOWER_INNER", "UPPER_INNER", "UPPER_OUTER")
    ]
    columns += [("YERRMAX", "1D", "pixel")]
    below, above, tall = _BACKGROUND["FUV"]
    rows = []
    for mode in settings_of("FUV"):
        row = mode.science_row(key.life_adj)
        box = (row, _FUV_HEIGHT, row + below, row + above, 100, tall)
        rows += [
            (*_names(mode), aperture, *box, 0.005, 0.10, 0.90, 0.995, 1.0) for aperture in APERTURES
        ]
    return _hdus(key, table(columns, rows), life_adj=key.life_adj)


def _trace(key: Key) -> fits.HDUList:
    x = np.arange(16384.0)
    rows = [
        (*_names(mode), _EITHER, np.rint(mode.trace(x) * 1024) / 1024)
        for mode in settings_of("FUV")
    ]
    columns = [*_KEYS, _APERTURE, ("TRACE", "16384E", "pixel")]
    return _hdus(key, table(columns, rows), life_adj=key.life_adj)


def _profile(key: Key) -> fits.HDUList:
    """Return the profile straightened by the trace, constant over 128 columns.

    Its scale has no meaning.
    """
    x = np.arange(0.0, 16384.0, 128.0)
    share, wide = PROFILE_WING
    rows = []
    for mode in (
        setting(key.opt_elem, key.cenwave, channel) for channel in GRATINGS[key.opt_elem].channels
    ):
        centre = mode.science_row(key.life_adj)
        first = int(np.floor(centre)) - PROFILE_ROWS[0]
        y = first + np.arange(sum(PROFILE_ROWS))[:, None] - centre
        sigma = mode.profile_sigma(x)
        shape = (1 - share) * _gaussian(y, sigma) + share * _gaussian(y, wide * sigma)
        rows.append((*_names(mode), _EITHER, first, centre, np.repeat(shape, 128, axis=1)))
    dim = f"(16384,{sum(PROFILE_ROWS)})"
    columns = [*_KEYS, _APERTURE, ("ROW_0", "1J", "pixel"), ("CENTER", "1D", "pixel")]
    columns += [(f"PROFILE:{dim}", f"{16384 * sum(PROFILE_ROWS)}E", "")]
    return _hdus(key, table(columns, rows), life_adj=key.life_adj)


def _gaussian(y: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * (y / sigma) ** 2) / sigma)


def _lamp(key: Key) -> fits.HDUList:
    size = 16384 if key.detector == "FUV" else 1024
    x = np.arange(float(size))
    rows = []
    for mode, fpoffset in product(settings_of(key.detector), _FPOFFSETS):
        shift = mode.fp_shift(fpoffset)
        counts = _LAMP_COUNTS[key.detector] * lamp_spectrum(mode, x - shift)
        rows.append(
            (*_names(mode), fpoffset, shift, mode.has_lamp_lines, counts * mode.has_lamp_lines)
        )
    columns = [
        *_KEYS,
        ("FPOFFSET", "1J", ""),
        ("FP_PIXEL_SHIFT", "1D", "pixel"),
        ("HAS_LINES", "1L", ""),
    ]
    return _hdus(key, table([*columns, ("INTENSITY", f"{size}E", "count")], rows))


def _dispersion(key: Key) -> fits.HDUList:
    columns = [
        *_KEYS,
        _APERTURE,
        ("NELEM", "1J", ""),
        ("COEFF", "4D", ""),
        ("D_TV03", "1E", ""),
        ("D", "1E", ""),
    ]
    rows = [
        (*_names(mode), aperture, 3, mode.coefficients, 0.0, 0.0)
        for mode in settings_of(key.detector)
        for aperture in (*APERTURES, "WCA")
    ]
    return _hdus(key, table(columns, rows))


def _flux(key: Key) -> fits.HDUList:
    """Return the sensitivities on a grid that covers the detector and the FP-POS."""
    x = (
        np.linspace(-1500.0, 18000.0, 400)
        if key.detector == "FUV"
        else np.linspace(-400.0, 1400.0, 400)
    )
    factor = 1.0 if key.version == 1 else REVISED_FLUX
    transmissions = {"PSA": 1.0, "BOA": BOA_TRANSMISSION}
    rows = []
    for mode in settings_of(key.detector):
        wavelength = mode.wavelength(x)
        sensitivity = factor * mode.sensitivity(wavelength)
        rows += [
            (*_names(mode), name, wavelength, through * sensitivity)
            for name, through in transmissions.items()
        ]
    columns = [*_KEYS, _APERTURE, ("WAVELENGTH", f"{x.size}D", "Angstrom")]
    columns += [("SENSITIVITY", f"{x.size}E", "count /s /pixel / (erg /s /cm**2 /Angstrom)")]
    return _hdus(key, table(columns, rows))


def _decline(key: Key) -> fits.HDUList:
    wavelength, slope, intercept = (
        tds.WAVELENGTHS[key.detector],
        tds.slopes(key.detector),
        tds.intercepts(key.detector),
    )
    times, waves = slope.shape
    columns = [
        ("SEGMENT", "4A", ""),
        ("OPT_ELEM", "8A", ""),
        _APERTURE,
        ("CENWAVE", "1J", "Angstrom"),
    ]
    columns += [
        ("NWL", "1J", ""),
        ("NT", "1J", ""),
        ("WAVELENGTH", f"{waves}D", "Angstrom"),
        ("TIME", f"{times}D", "d"),
    ]
    columns += [
        (f"{name}:({waves},{times})", f"{times * waves}E", "") for name in ("SLOPE", "INTERCEPT")
    ]
    rows = [
        (
            mode.channel,
            mode.grating.name,
            _EITHER,
            mode.cenwave,
            waves,
            times,
            wavelength,
            tds.BREAKS,
            slope,
            intercept,
        )
        for mode in settings_of(key.detector)
    ]
    return _hdus(key, table(columns, rows, ref_time=tds.REFERENCE_DATE))


def _coordinates(key: Key) -> fits.HDUList:
    columns = [*_KEYS, _APERTURE, ("CTYPE1", "8A", "")]
    columns += [
        (name, "1D", "")
        for name in ("CRVAL1", "CRPIX1", "CDELT1", "CDELT2", "CDELT3", "SPECRES", "G")
    ]
    columns += [("SPORDER", "1J", ""), ("ALPHA", "1D", "deg"), ("THETA", "1D", "deg")]
    middle = 8192.0 if key.detector == "FUV" else 512.0
    scale = {"FUV": (6.4e-6, 2.5e-5), "NUV": (6.5e-6, 6.5e-6)}[key.detector]
    rows = [
        (*_names(mode), _EITHER, "WAVE", *centre, *scale, 18000.0, 3800.0, 1, 20.0, 0.0)
        for mode in settings_of(key.detector)
        for centre in [(float(mode.wavelength(middle)), middle, float(mode.dispersion(middle)))]
    ]
    return _hdus(key, table(columns, rows))


def _wavecal(key: Key) -> fits.HDUList:
    columns = [("OPT_ELEM", "8A", ""), ("XC_RANGE", "1J", "pixel"), ("RESWIDTH", "1D", "pixel")]
    columns += [
        ("MAX_TIME_DIFF", "1D", "d"),
        ("STEPSIZE", "1D", "pixel"),
        ("XD_RANGE", "1J", "pixel"),
    ]
    columns += [("BOX", "1J", "pixel"), ("SEARCH_OFFSET", "1D", "pixel"), ("N_SIGMA", "1D", "")]
    columns += [
        (name, "1D", "")
        for name in ("TCROSSOVER", "FRACSHORT", "FRACLONG", "OFFSET_SHORT", "OFFSET_LONG")
    ]
    columns += [("MIN_EXPTIME", "1D", "s")]
    reach, tall, box = (200, 20, 9) if key.detector == "FUV" else (60, 25, 7)
    rows = [
        (
            grating.name,
            reach,
            6.0,
            0.1,
            grating.step,
            tall,
            box,
            0.0,
            _CHI_SQUARE,
            1500.0,
            0.5,
            0.5,
            0.0,
            0.0,
            900.0,
        )
        for grating in GRATINGS.values()
        if grating.detector == key.detector
    ]
    return _hdus(key, table(columns, rows))


MAKERS = {
    "TRACETAB": _trace,
    "PROFTAB": _profile,
    "TWOZXTAB": _two_zones,
    "XTRACTAB": _extraction,
    "LAMPTAB": _lamp,
    "DISPTAB": _dispersion,
    "FLUXTAB": _flux,
    "TDSTAB": _decline,
    "SPWCSTAB": _coordinates,
    "WCPTAB": _wavecal,
}
"""Functions that make the content of a file from its key, by keyword."""
