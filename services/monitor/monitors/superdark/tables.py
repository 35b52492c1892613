"""Tables of hot spots (SPOTTAB) and bad pixels (BPIXTAB): rows, files, checks and differences.

Structure and use: CalCOS 3.6.2, ``cosutil.getDQArrays``: every row of a BPIXTAB applies to the
exposures of its segment, a row of a SPOTTAB to those of which a good time interval overlaps START
to STOP.
"""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from services.monitor.framework.declaration import Columns
from services.monitor.library.reference_files import primary_hdu, reaches_beyond, wrong_header
from services.monitor.monitors.superdark.maps import HIGHEST, LOWEST
from shared.cos.detector import FUV_SEGMENTS, X_BINNING, Y_BINNING

__all__ = [
    "ALWAYS",
    "DQ_BACKGROUND",
    "OPEN_END",
    "FlagRow",
    "active_table",
    "check",
    "difference",
    "in_pixels",
    "read_rows",
    "read_tables",
    "table_bytes",
]

DQ_BACKGROUND = 32
"""Data-quality flag of a background feature (CalCOS, ``calcosparam.DQ_BACKGROUND_FEATURE``)."""

OPEN_END = 88069.0
"""STOP of what is still there: 2100-01-01."""

ALWAYS = (-np.inf, np.inf)
"""Times of a row of a BPIXTAB."""

_RECTANGLE = {"LX": "J", "LY": "J", "DX": "J", "DY": "J", "DQ": "J"}
_FORMATS = {
    "SPOTTAB": {"SEGMENT": "4A", "START": "D", "STOP": "D", **_RECTANGLE},
    "BPIXTAB": {"SEGMENT": "4A", **_RECTANGLE},
}
_COMMENT = 24
_DESCRIPTIONS = {
    "SPOTTAB": "Hot spots of the FUV detector in dark exposures",
    "BPIXTAB": "Bad pixels",
}
_SIZES = {"FUV": (16384, 1024), "NUV": (1024, 1024)}
_NO_SEGMENT = "N/A"
"""SEGMENT of NUV exposures."""

Box = tuple[int, int, int, int]


class FlagRow(tuple[str, float, float, int, int, int, int, int]):
    """Row of a table: SEGMENT, START, STOP (MJD), LX, LY, DX, DY (pixels), DQ."""

    __slots__ = ()

    @property
    def box(self) -> Box:
        """LX, LY, DX, DY."""
        return self[3:7]

    @property
    def empty(self) -> bool:
        """Whether it covers nothing."""
        return not (self[5] and self[6])


def in_pixels(x0: int, x1: int, y0: int, y1: int) -> Box:
    """Return the rectangle of pixels of a rectangle of superpixels, which ends before x1 and y1."""
    return x0 * X_BINNING, y0 * Y_BINNING, (x1 - x0) * X_BINNING, (y1 - y0) * Y_BINNING


def table_bytes(kind: str, detector: str, rows: Sequence[FlagRow], newest: float) -> bytes:
    """Write a table as a FITS file.

    Parameters
    ----------
    kind
        SPOTTAB or BPIXTAB.
    detector
        FUV or NUV.
    rows
        Its rows.
    newest
        MJD of the newest exposure that they are from.
    """
    primary = primary_hdu(kind, detector, newest, _DESCRIPTIONS[kind])
    primary.header.update(PHAMIN=LOWEST, PHAMAX=HIGHEST)
    primary.header["HISTORY"] = (
        "Superpixels of 8 by 2 pixels with more counts in dark exposures than their"
    )
    primary.header["HISTORY"] = (
        "surroundings explain, by COSMO. Times are those of the exposures before and"
    )
    primary.header["HISTORY"] = "after those that show a spot."
    # A table may not be empty: a row of zeros covers no pixel.
    written = list(rows) or [
        FlagRow(
            (
                FUV_SEGMENTS[0] if detector == "FUV" else _NO_SEGMENT,
                0.0,
                0.0,
                0,
                0,
                0,
                0,
                DQ_BACKGROUND,
            )
        )
    ]
    names = ("SEGMENT", "START", "STOP", *_RECTANGLE)
    values = dict(zip(names, zip(*written, strict=True), strict=True))
    units = {"START": "d", "STOP": "d", "LX": "pixel", "LY": "pixel", "DX": "pixel", "DY": "pixel"}
    columns = [
        fits.Column(name, form, units.get(name), array=np.array(values[name]))
        for name, form in _FORMATS[kind].items()
    ]
    if kind == "SPOTTAB":
        comments = [
            "no spot" if row.empty else "still there" if row[2] == OPEN_END else "gone"
            for row in written
        ]
        columns.append(fits.Column("COMMENT", f"{_COMMENT}A", array=np.array(comments)))
    buffer = io.BytesIO()
    fits.HDUList([primary, fits.BinTableHDU.from_columns(columns)]).writeto(buffer)
    return buffer.getvalue()


def read_rows(source: Path | io.BytesIO) -> tuple[str, list[FlagRow]]:
    """Return the detector and rows of a table, without those that cover nothing.

    Parameters
    ----------
    source
        A SPOTTAB or BPIXTAB.
    """
    with fits.open(source) as hdus:
        data = hdus[1].data
        names = {name.upper() for name in data.names}
        times = [
            data[name].tolist() if name in names else [end] * len(data)
            for name, end in zip(("START", "STOP"), ALWAYS, strict=True)
        ]
        columns = [data[name].tolist() for name in _RECTANGLE]
        rows = [
            FlagRow((str(segment).strip(), *rest))
            for segment, *rest in zip(data["SEGMENT"], *times, *columns, strict=True)
        ]
        return str(hdus[0].header.get("DETECTOR", "")).strip(), [
            row for row in rows if not row.empty
        ]


def read_tables(paths: Sequence[Path]) -> Columns:
    """Read the first table of each detector.

    Parameters
    ----------
    paths
        SPOTTABs or BPIXTABs.

    Returns
    -------
    mapping of str to ndarray
        ``detector``, ``name`` of the file, ``rows`` (a tuple of `FlagRow`), all objects of shape
        (n,).
    """
    found: dict[str, tuple[str, tuple[FlagRow, ...]]] = {}
    for path in paths:
        detector, rows = read_rows(path)
        found.setdefault(detector, (path.name.removesuffix(".gz"), tuple(rows)))
    columns = {name: np.empty(len(found), dtype=object) for name in ("detector", "name", "rows")}
    for place, (detector, (name, table)) in enumerate(found.items()):
        columns["detector"][place], columns["name"][place], columns["rows"][place] = (
            detector,
            name,
            table,
        )
    return columns


def active_table(tables: Columns, detector: str) -> tuple[str, Sequence[FlagRow]] | None:
    """Return the name and rows of the active table of a detector; None where none can be read.

    Parameters
    ----------
    tables
        Columns of `read_tables`, the table that CalCOS used last first.
    detector
        FUV or NUV.
    """
    for place in np.flatnonzero(tables["detector"] == detector):
        return str(tables["name"][place]), tables["rows"][place]
    return None


def check(kind: str, content: bytes) -> list[str]:
    """Say what is wrong with a file that shall be delivered; nothing if it may be.

    Parameters
    ----------
    kind
        SPOTTAB or BPIXTAB.
    content
        A FITS file.
    """
    with fits.open(io.BytesIO(content)) as hdus:
        return [
            *_wrong_header(kind, hdus[0].header),
            *_wrong_rows(kind, hdus[0].header.get("DETECTOR"), hdus[1]),
        ]


def _wrong_header(kind: str, header: fits.Header) -> Iterator[str]:
    yield from wrong_header(header, kind, tuple(_SIZES))
    if (header.get("PHAMIN"), header.get("PHAMAX")) != (LOWEST, HIGHEST):
        yield (
            f"PHAMIN and PHAMAX are not {LOWEST} and {HIGHEST}, which CalCOS compares with "
            "those of PHATAB"
        )


def _wrong_rows(kind: str, detector: Any, hdu: Any) -> Iterator[str]:
    formats = {column.name: column.format for column in hdu.columns if column.name != "COMMENT"}
    if formats != _FORMATS[kind]:
        yield f"columns are {formats}, not {_FORMATS[kind]}"
        return
    data = hdu.data
    if not len(data):
        yield "no rows"
    segments = {str(segment).strip() for segment in data["SEGMENT"]}
    if not segments <= (set(FUV_SEGMENTS) if detector == "FUV" else {_NO_SEGMENT}):
        yield f"segments {', '.join(sorted(segments))} are not those of {detector}"
    if reaches_beyond(data, *_SIZES.get(detector, _SIZES["FUV"])):
        yield "a rectangle reaches beyond the detector"
    if (data["DQ"] <= 0).any():
        yield "a row has no flag"
    if kind == "SPOTTAB" and not (data["START"] <= data["STOP"]).all():
        yield "a spot ends before it starts, or has no date"


def difference(new: Sequence[FlagRow], active: Sequence[FlagRow]) -> dict[str, int]:
    """Count what a new table has that the active one has not, and the reverse.

    Parameters
    ----------
    new, active
        Their rows.

    Returns
    -------
    dict
        ``added`` and ``removed``: rows of which the other table leaves a pixel unflagged at some
        time; ``flags_changed``: rows of both with another DQ.
    """
    known = {(*row[:3], row.box): row[7] for row in active}
    return {
        "added": sum(not _covered(row, active) for row in new),
        "removed": sum(not _covered(row, new) for row in active),
        "flags_changed": sum(known.get((*row[:3], row.box), row[7]) != row[7] for row in new),
    }


def _covered(row: FlagRow, others: Sequence[FlagRow]) -> bool:
    """Return whether rows that hold all the time of this one flag all its pixels."""
    segment, start, stop, x, y, width, height, _ = row
    left = np.ones((height, width), dtype=bool)
    for other, begin, end, other_x, other_y, other_width, other_height, _ in others:
        if other == segment and begin <= start and end >= stop:
            rows = slice(max(other_y - y, 0), max(other_y + other_height - y, 0))
            left[rows, max(other_x - x, 0) : max(other_x + other_width - x, 0)] = False
    return not left.any()
