"""Reference files of the detectors: geometry, electronics, flat fields, data quality."""

from collections.abc import Sequence

import numpy as np
from astropy.io import fits

from simulator.instrument import fuv, nuv
from simulator.instrument.modes import FUV_GRATINGS, GRATINGS
from simulator.references.keys import KINDS, Key
from simulator.references.writing import image, primary, table

__all__ = ["DARK_SPOTS", "MAKERS", "PHA_LIMITS", "REVISED_SPOT", "bad_time_table"]

PHA_LIMITS = (2, 23)
"""Lowest and highest pulse height that are kept."""

DARK_SPOTS = {
    "FUVA": ((1700, 690, 60, 12), (9800, 330, 40, 10)),
    "FUVB": ((2400, 400, 50, 12), (12100, 760, 40, 10)),
    "NUV": ((40, 900, 12, 12),),
}
"""Blemishes (x, y, width, height) that the bad-pixel table flags.

None is where a spectrum falls.
"""

REVISED_SPOT = {"FUV": (14500, 600, 40, 10), "NUV": (980, 980, 12, 12)}
"""Blemish that only the second version of the bad-pixel table flags."""

_GEO_BIN = (16, 8)
_FLAT_STEPS = 2048.0
_SNR_FLAT = 60.0
_RATES = np.concatenate([[0.0], np.geomspace(10.0, 200000.0, 120)])
_HV_LEVELS = (100, 154, 160, 163, 167, 169, 171, 173, 175, 178, 185)
_REGION = [
    ("LX", "1J", "pixel"),
    ("LY", "1J", "pixel"),
    ("DX", "1J", "pixel"),
    ("DY", "1J", "pixel"),
    ("DQ", "1J", ""),
]
_SEGMENT = ("SEGMENT", "4A", "")


def _hdus(
    key: Key, *extensions: fits.BinTableHDU | fits.ImageHDU, **keywords: object
) -> fits.HDUList:
    return fits.HDUList(
        [primary(KINDS[key.keyword].filetype, key.detector, **keywords), *extensions]
    )


def _quantised(values: np.ndarray) -> np.ndarray:
    """Round so that gzip finds repetitions; 2.4e-4 at most, far below the noise of any exposure."""
    return (np.rint(values * _FLAT_STEPS) / _FLAT_STEPS).astype(np.float32)


def _flat(key: Key) -> fits.HDUList:
    if key.detector == "NUV":
        y, x = np.mgrid[0 : nuv.SIZE, 0 : nuv.SIZE]
        flat = image(
            "SCI", 1, _quantised(nuv.flat_field(x, y)), origin_x=0, origin_y=0, snr_ff=_SNR_FLAT
        )
        return _hdus(key, flat)
    extensions = []
    for name, segment in fuv.SEGMENTS.items():
        area = segment.active
        y, x = np.ogrid[area.low : area.high + 1, area.left : area.right + 1]
        content = _quantised(fuv.flat_field(name, x, y))
        extensions.append(
            image(name, 1, content, origin_x=area.left, origin_y=area.low, snr_ff=_SNR_FLAT)
        )
    return _hdus(key, *extensions)


def _dead(key: Key) -> fits.HDUList:
    segments = list(fuv.SEGMENTS) if key.detector == "FUV" else ["N/A"]
    live = fuv.live_time(_RATES) if key.detector == "FUV" else nuv.live_time(_RATES)
    rows = [
        (name, rate, value) for name in segments for rate, value in zip(_RATES, live, strict=True)
    ]
    columns = [_SEGMENT, ("OBS_RATE", "1D", "count /s"), ("LIVETIME", "1D", "")]
    return _hdus(
        key, table(columns, rows, timestep=fuv.TIMESTEP if key.detector == "FUV" else nuv.TIMESTEP)
    )


def _bad_pixels(key: Key) -> fits.HDUList:
    names = ("FUVA", "FUVB") if key.detector == "FUV" else ("NUV",)
    rows = [
        ("N/A" if name == "NUV" else name, *spot, 16) for name in names for spot in DARK_SPOTS[name]
    ]
    if key.version > 1:
        rows += [
            ("N/A" if name == "NUV" else name, *REVISED_SPOT[key.detector], 16) for name in names
        ]
    return _hdus(key, table([_SEGMENT, *_REGION], rows, widen=0.25))


def _spots(key: Key) -> fits.HDUList:
    rows = [
        ("FUVA", 56000.0, 56010.0, 5000, 310, 20, 8, 8192),
        ("FUVB", 56000.0, 56010.0, 5000, 372, 20, 8, 8192),
    ]
    columns = [_SEGMENT, ("START", "1D", "d"), ("STOP", "1D", "d"), *_REGION]
    return _hdus(key, table(columns, rows), phamin=PHA_LIMITS[0], phamax=PHA_LIMITS[1])


def _gain_sag(key: Key) -> fits.HDUList:
    """Flag the Lyman-alpha scar that airglow leaves at the first lifetime position, and nothing at
    high voltage.
    """
    extensions = []
    for segment, scar in (("FUVA", (9120, 484)), ("FUVB", (9120, 540))):
        for level in _HV_LEVELS:
            rows = [(57000.0, *scar, 90, 6, 8192)] if level < 170 else []
            hdu = table(
                [("DATE", "1D", "d"), *_REGION],
                rows,
                segment=segment,
                **{f"hvlevel{segment[-1]}": level},
            )
            extensions.append(hdu)
    return _hdus(key, *extensions)


def _baseline(key: Key) -> fits.HDUList:
    columns = [_SEGMENT]
    columns += [(name, "1D", "pixel") for name in ("SX1", "SY1", "SX2", "SY2", "XWIDTH", "YWIDTH")]
    columns += [(name, "1J", "pixel") for name in ("A_LEFT", "A_RIGHT", "A_LOW", "A_HIGH")]
    rows = [
        (
            name,
            *seg.stims[0],
            *seg.stims[1],
            *fuv.STIM_SEARCH,
            area.left,
            area.right,
            area.low,
            area.high,
        )
        for name, seg in fuv.SEGMENTS.items()
        for area in [seg.active]
    ]
    return _hdus(key, table(columns, rows, timestep=fuv.TIMESTEP))


def _distortion(key: Key) -> fits.HDUList:
    """Tabulate at the lower left corner of bins, which is where CalCOS interpolates between."""
    function = fuv.distortion if key.keyword == "GEOFILE" else fuv.delta_distortion
    xbin, ybin = _GEO_BIN
    y, x = np.mgrid[0 : fuv.HEIGHT : ybin, 0 : fuv.WIDTH : xbin].astype(np.float64)
    extensions = []
    for name in fuv.SEGMENTS:
        for version, component in enumerate(function(name, x, y), 1):
            content = component.astype(np.float32)
            extensions.append(
                image(name, version, content, origin_x=0, origin_y=0, xbin=xbin, ybin=ybin)
            )
    return _hdus(key, *extensions)


def _walk(key: Key) -> fits.HDUList:
    function, size = (
        (fuv.walk_x, fuv.WIDTH) if key.keyword == "XWLKFILE" else (fuv.walk_y, fuv.HEIGHT)
    )
    pha, place = np.mgrid[0:32, 0:size].astype(np.float64)
    return _hdus(
        key,
        *(
            image("SCI", version, _quantised(function(name, pha, place)), segment=name)
            for version, name in enumerate(fuv.SEGMENTS, 1)
        ),
    )


def _pulse_heights(key: Key) -> fits.HDUList:
    columns = [_SEGMENT, ("OPT_ELEM", "8A", ""), ("LLT", "1J", ""), ("ULT", "1J", "")]
    columns += [("MIN_PEAK", "1D", ""), ("MAX_PEAK", "1D", "")]
    return _hdus(
        key, table(columns, [(name, "ANY", *PHA_LIMITS, 0.5, 1.5) for name in fuv.SEGMENTS])
    )


def bad_time_table(key: Key, intervals: Sequence[tuple[float, float]]) -> fits.HDUList:
    """Return the bad-time table that names intervals (MJD) for both segments, or for the NUV."""
    segments = list(fuv.SEGMENTS) if key.detector == "FUV" else ["N/A"]
    rows = [
        (name, start, stop) for name in segments for start, stop in ((40000.0, 40000.1), *intervals)
    ]
    return _hdus(key, table([_SEGMENT, ("START", "1D", "d"), ("STOP", "1D", "d")], rows))


def _bursts(key: Key) -> fits.HDUList:
    names = (
        "MEDIAN_N",
        "DELTA_T",
        "DELTA_T_HIGH",
        "MEDIAN_DT",
        "BURST_MIN",
        "STDREJ",
        "SOURCE_FRAC",
        "HIGH_RATE",
    )
    columns = [_SEGMENT, *((name, "1D", "") for name in names), ("MAX_ITER", "1J", "")]
    rows = [(name, 5.0, 1.0, 0.1, 200.0, 10.0, 5.0, 0.3, 20000.0, 5) for name in fuv.SEGMENTS]
    return _hdus(key, table(columns, rows))


def _voltage(key: Key) -> fits.HDUList:
    columns = [_SEGMENT, ("CENWAVE", "1J", "Angstrom")]
    columns += [(name, "1D", "") for name in ("SLOPE", "INTERCEPT", "ZEROPOINT")]
    low, high = 163.0, 173.0
    slope = (1.0 / fuv.hv_sensitivity(high) - 1.0 / fuv.hv_sensitivity(low)) / (high - low)
    rows = [
        (name, cenwave, slope, 1.0 / fuv.hv_sensitivity(low), low)
        for name in fuv.SEGMENTS
        for grating in FUV_GRATINGS
        for cenwave in GRATINGS[grating].cenwaves
    ]
    return _hdus(key, table(columns, rows))


MAKERS = {
    "FLATFILE": _flat,
    "DEADTAB": _dead,
    "BPIXTAB": _bad_pixels,
    "SPOTTAB": _spots,
    "GSAGTAB": _gain_sag,
    "BRFTAB": _baseline,
    "GEOFILE": _distortion,
    "DGEOFILE": _distortion,
    "XWLKFILE": _walk,
    "YWLKFILE": _walk,
    "PHATAB": _pulse_heights,
    "BRSTTAB": _bursts,
    "HVDSTAB": _voltage,
}
"""Functions that make the content of a file from its key, by keyword."""
