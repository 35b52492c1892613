"""Corrtag files with known events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

__all__ = ["EXPSTART", "write_corrtag"]

EXPSTART = 58108.5

_FORMATS = {"TIME": "E", "RAWX": "I", "RAWY": "I", "XCORR": "E", "YCORR": "E", "DQ": "I", "PHA": "B"}


def write_corrtag(
    path: Path,
    events: Mapping[str, Any],
    stop: float,
    *,
    segment: str = "FUVA",
    good: tuple[tuple[float, float], ...] = (),
    **keywords: Any,
) -> Path:
    """Write a corrtag file; columns that are not given are zeros."""
    count = len(next(iter(events.values())))
    columns = [
        fits.Column(name, form, array=events.get(name, np.zeros(count)), unit="s" if name == "TIME" else None)
        for name, form in _FORMATS.items()
    ]
    good = good or ((0.0, stop),)
    primary = fits.PrimaryHDU()
    detector = "NUV" if segment == "N/A" else "FUV"
    primary.header.update(
        {
            "ROOTNAME": path.name[:9],
            "DETECTOR": detector,
            "SEGMENT": segment,
            "OBSMODE": "TIME-TAG",
            "EXPTYPE": "EXTERNAL/SCI",
            "OPT_ELEM": "G130M",
            "LIFE_ADJ": 4,
            **keywords,
        }
    )
    table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    exptime = sum(end - start for start, end in good)
    table.header.update({"EXPSTART": EXPSTART, "EXPTIME": exptime, "HVLEVELA": 163, "HVLEVELB": 169})
    intervals = [
        fits.Column(name, "D", array=[one[axis] for one in good]) for axis, name in enumerate(("START", "STOP"))
    ]
    seconds = np.arange(0.0, stop)
    line = [
        fits.Column(name, "E", array=seconds * scale)
        for name, scale in (("TIME", 1), ("LATITUDE", 0), ("LONGITUDE", 0))
    ]
    fits.HDUList(
        [
            primary,
            table,
            fits.BinTableHDU.from_columns(intervals, name="GTI"),
            fits.BinTableHDU.from_columns(line, name="TIMELINE"),
        ]
    ).writeto(path)
    return path
