"""Parts of a corrtag file.

The script that reproduces a run has a copy of these functions, so they need numpy and astropy
alone.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

__all__ = ["good_times", "overlap", "times_within", "write_part"]

Intervals = list[tuple[float, float]]


def overlap(one: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> Intervals:
    """Intersect two lists of intervals, each sorted."""
    both = [(max(a, c), min(b, d)) for a, b in one for c, d in other]
    return sorted((start, stop) for start, stop in both if start < stop)


def good_times(hdus: fits.HDUList) -> Intervals:
    """Return the good time intervals of a corrtag file, second; the newest table counts."""
    tables = [
        hdu for hdu in hdus[1:] if hdu.name == "GTI" and hdu.data is not None and len(hdu.data)
    ]
    if not tables:
        return [(0.0, float(hdus["EVENTS"].header["EXPTIME"]))]
    newest = max(tables, key=lambda hdu: hdu.ver).data
    return [(float(row["START"]), float(row["STOP"])) for row in newest]


def _all_stops(hdus: fits.HDUList) -> list[float]:
    """List the ends of the good times of every version, second.

    The newest may lack the end of the exposure.
    """
    tables = (hdu.data for hdu in hdus[1:] if hdu.name == "GTI" and hdu.data is not None)
    return [float(stop) for table in tables for stop in table["STOP"]]


def times_within(hdus: fits.HDUList, column: str, low: float, high: float) -> Intervals:
    """Find the times in which a column of the TIMELINE table, a row a second, lies in a range.

    Second.

    Parameters
    ----------
    hdus
        Corrtag file.
    column
        Column of the table.
    low, high
        The range; its upper end is outside.
    """
    table = hdus["TIMELINE"].data
    seconds, values = np.asarray(table["TIME"], float), np.asarray(table[column], float)
    inside = np.concatenate([[False], (values >= low) & (values < high), [False]])
    edges = np.append(seconds, seconds[-1] + 1.0)
    changes = np.flatnonzero(inside[1:] != inside[:-1])
    return [
        (float(edges[a]), float(edges[b])) for a, b in zip(changes[::2], changes[1::2], strict=True)
    ]


def write_part(
    source: Path,
    target: Path,
    intervals: Sequence[tuple[float, float]],
    heights: tuple[int, int] | None,
) -> int:
    """Write the events of some good times and pulse heights to a corrtag file of their own.

    Parameters
    ----------
    source
        Corrtag file.
    target
        New file.
    intervals
        Times, second; the upper end of each is outside, but for the end of the exposure.
    heights
        Lowest and highest pulse height; None for all.

    Returns
    -------
    int
        Events in the new file; without events or good time, none is written.
    """
    with fits.open(source) as hdus:
        good = overlap(good_times(hdus), intervals)
        events = hdus["EVENTS"]
        time = np.asarray(events.data["TIME"], float)
        end = max(_all_stops(hdus), default=np.inf)
        chosen = np.zeros(len(time), bool)
        for start, stop in intervals:
            # Times have fewer digits than those of intervals: the last ones may lie at the end, or
            # just behind it.
            chosen |= (time >= start) & ((time < stop) | (stop >= end))
        if heights is not None:
            chosen &= (events.data["PHA"] >= heights[0]) & (events.data["PHA"] <= heights[1])
        count = int(np.count_nonzero(chosen))
        if not count or not good:
            return 0
        header = events.header.copy()
        exposed = sum(stop - start for start, stop in good)
        side = str(hdus[0].header.get("SEGMENT", "")).strip()[-1:]
        for keyword, value in (("EXPTIME", exposed), ("NEVENTS", count)):
            header[keyword] = value
            for other in "AB":  # CalCOS puts the two segments of an exposure together
                if f"{keyword}{other}" in header:
                    header[f"{keyword}{other}"] = value if other == side else type(value)(0)
        header["EXPEND"] = header["EXPSTART"] + good[-1][1] / 86400.0
        header["EXPENDJ"] = header["EXPEND"] + 2400000.5
        table = fits.BinTableHDU.from_columns(
            [
                fits.Column("START", "1D", unit="s", array=np.array([start for start, _ in good])),
                fits.Column("STOP", "1D", unit="s", array=np.array([stop for _, stop in good])),
            ],
            name="GTI",
        )
        parts = [hdus[0], fits.BinTableHDU(events.data[chosen], header), table]
        if "TIMELINE" in hdus:
            line = hdus["TIMELINE"]
            seconds = np.asarray(line.data["TIME"], float)
            kept = (seconds >= good[0][0] - 1.0) & (seconds <= good[-1][1] + 1.0)
            parts.append(fits.BinTableHDU(line.data[kept], line.header))
        fits.HDUList(parts).writeto(target)
        return count
