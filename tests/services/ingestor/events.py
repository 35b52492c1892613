"""Corrtag files with known events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

__all__ = ["EXPSTART", "write_corrtag"]

EXPSTART = 58108.5

_FORMATS = {
    "TIME": "E",
    "RAWX": "I",
    "RAWY": "I",
    "XCORR": "E",
    "YCORR": "E",
    "DQ": "I",
    "PHA": "B",
}


def write_corrtag(
    path: Path,
    events: Mapping[str, Any],
    stop: float,
    *,
    segment: str = "FUVA",
    good: tuple[tuple[float, float], ...] = (),
    left: tuple[tuple[float, float], ...] | None = None,
    flashes: tuple[tuple[float, float], ...] = (),
    **keywords: Any,
) -> Path:
    """Write a corrtag file; columns that are not given are zeros.

    Parameters
    ----------
    path
        File.
    events
        Columns.
    stop
        End of the exposure since its start, s.
    segment
        FUVA or FUVB; N/A for the NUV detector.
    good
        Good time intervals of the raw file, s; none for one from 0 to ``stop``.
    left
        Those that CalCOS left, in a second table; None where it left them as they were.
    flashes
        When a lamp was on, s.
    **keywords
        Of the primary header.
    """
    count = len(next(iter(events.values())))
    columns = [
        fits.Column(
            name,
            form,
            array=events.get(name, np.zeros(count)),
            unit="s" if name == "TIME" else None,
        )
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
    exptime = sum(end - start for start, end in (good if left is None else left))
    table.header.update(
        {"EXPSTART": EXPSTART, "EXPTIME": exptime, "HVLEVELA": 163, "HVLEVELB": 169}
    )
    table.header["NUMFLASH"] = len(flashes)
    for number, (on, off) in enumerate(flashes, 1):
        table.header[f"LMP_ON{number}"], table.header[f"LMPOFF{number}"] = on, off
    seconds = np.arange(0.0, stop)
    line = [
        fits.Column(name, "E", array=seconds * scale)
        for name, scale in (("TIME", 1), ("LATITUDE", 0), ("LONGITUDE", 0))
    ]
    fits.HDUList(
        [
            primary,
            table,
            _intervals(good, 1),
            fits.BinTableHDU.from_columns(line, name="TIMELINE"),
            *([] if left is None else [_intervals(left, 2)]),
        ]
    ).writeto(path)
    return path


def _intervals(good: tuple[tuple[float, float], ...], version: int) -> fits.BinTableHDU:
    columns = [
        fits.Column(name, "D", array=np.array([one[axis] for one in good], float))
        for axis, name in enumerate(("START", "STOP"))
    ]
    return fits.BinTableHDU.from_columns(columns, name="GTI", ver=version)
