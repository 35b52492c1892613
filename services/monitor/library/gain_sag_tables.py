"""Gain sag tables (GSAGTAB): their content out of sagged superpixels, and the files.

Structure and use: CalCOS 3.6.2, ``cosutil.findGSagExtn``: of the extensions of a segment, the one
of the exposure's voltage level applies, or else the nearest higher one, and of its rows those with
DATE up to EXPSTART.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from sqlalchemy import select

from services.monitor.framework.declaration import Columns, RowQuery
from services.monitor.library.reference_files import primary_hdu
from shared.cos.detector import FUV_SEGMENTS, X_BINNING, Y_BINNING
from shared.database.models.science import FlaggedPixel

__all__ = [
    "BLUE",
    "COLUMNS",
    "DQ_GAIN_SAG",
    "LEVELS",
    "STANDARD",
    "Box",
    "Rectangles",
    "build",
    "key_of",
    "read_table",
    "read_tables",
    "rectangles_of",
    "sagged_query",
    "table_bytes",
    "without_boundary",
]

LEVELS = (0, 100, *range(142, 179))
"""Voltage levels with an extension (legacy ``cci/gsag.py``): dense, since a missing one would take
the next's rows.
"""

DQ_GAIN_SAG = 8192
"""Data-quality flag of a sagged place."""

BLUE, STANDARD = "BETWEEN 1055 1097", "N/A"
"""CENWAVE of the table of the blue modes, and of the other one (CRDS)."""

_BOUNDARY = {"FUVA": 493, "FUVB": 557}
_BOUNDARY_MARGIN = 4
"""Rows where the blue modes lie, which sag there without harm to them (legacy ``cci/gsag.py``)."""

COLUMNS = {"DATE": "D", "LX": "J", "LY": "J", "DX": "J", "DY": "J", "DQ": "J"}
"""Columns and their formats."""

_BOX_COLUMNS = ("DATE", "LX", "LY", "DX", "DY")
_ROW_NAMES = ("name", "blue", "segment", "hvlevel", "mjd", "lx", "ly", "dx", "dy")

Box = tuple[int, int, int, int]
"""LX, LY, DX, DY in pixels."""

Rectangles = Mapping[tuple[str, int], Mapping[Box, float]]
"""By segment and voltage level: first date (MJD) by rectangle."""


def sagged_query() -> RowQuery:
    """Return the query for the superpixels that sagged.

    Segment, ``hvlevel``, ``x``, ``y``, and when first (``mjd``).
    """
    return select(
        FlaggedPixel.segment,
        FlaggedPixel.dethv.label("hvlevel"),
        FlaggedPixel.x.label("x"),
        FlaggedPixel.y.label("y"),
        FlaggedPixel.mjd,
    )


def build(sagged: Columns) -> Rectangles:
    """Return the rectangles of every segment and level.

    What sagged at a voltage is bad at every lower one, since gain only falls with it.

    Parameters
    ----------
    sagged
        Columns of `sagged_query`.
    """
    tables: dict[tuple[str, int], dict[Box, float]] = {}
    for segment in FUV_SEGMENTS:
        mine = sagged["segment"] == segment
        order = np.argsort(sagged["mjd"][mine])[::-1]
        level, x, y, mjd = (sagged[name][mine][order] for name in ("hvlevel", "x", "y", "mjd"))
        for least in LEVELS:
            bad = level >= least
            # From the newest to the oldest: the first date of a place stays.
            tables[segment, least] = {
                (int(column) * X_BINNING, int(row) * Y_BINNING, X_BINNING, Y_BINNING): float(date)
                for column, row, date in zip(x[bad], y[bad], mjd[bad], strict=True)
            }
    return tables


def without_boundary(tables: Rectangles) -> Rectangles:
    """Return the rectangles of the table of the blue modes.

    Those that touch the boundary's rows are left out.
    """
    return {
        (segment, level): {
            box: date
            for box, date in boxes.items()
            if box[1] > _BOUNDARY[segment] + _BOUNDARY_MARGIN
            or box[1] + box[3] < _BOUNDARY[segment] - _BOUNDARY_MARGIN
        }
        for (segment, level), boxes in tables.items()
    }


def table_bytes(tables: Rectangles, newest: float, *, blue: bool) -> bytes:
    """Write a table as a FITS file.

    Parameters
    ----------
    tables
        Its rectangles.
    newest
        MJD of the newest gain that they are from.
    blue
        Whether it is that of the blue modes.
    """
    description = (
        "Gain sagged regions for blue modes" if blue else "Gain sagged regions for standard modes"
    )
    primary = primary_hdu("GSAGTAB", "FUV", newest, description)
    primary.header["CENWAVE"] = BLUE if blue else STANDARD
    primary.header["HISTORY"] = (
        "Superpixels of 8 by 2 pixels whose modal gain was 3 or less, by COSMO's"
    )
    primary.header["HISTORY"] = (
        "gain maps; DATE is when that was first so at this voltage or a higher one."
    )
    hdus = fits.HDUList([primary, *(_extension(*key, boxes) for key, boxes in tables.items())])
    buffer = io.BytesIO()
    hdus.writeto(buffer, checksum=False)
    return buffer.getvalue()


def _extension(segment: str, level: int, boxes: Mapping[Box, float]) -> fits.BinTableHDU:
    # A table may not be empty: a row of zeros covers no pixel.
    rows = [
        (date, *box) for box, date in sorted(boxes.items(), key=lambda item: (item[1], item[0]))
    ] or [(0.0, 0, 0, 0, 0)]
    values = [*np.array(rows).T, np.full(len(rows), DQ_GAIN_SAG)]
    units = ("d", *("pixel",) * 4, None)
    columns = [
        fits.Column(name, form, unit, array=array)
        for (name, form), unit, array in zip(COLUMNS.items(), units, values, strict=True)
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name=segment)
    hdu.header["SEGMENT"] = segment
    hdu.header[f"HVLEVEL{segment[-1]}"] = level
    return hdu


def key_of(header: fits.Header) -> tuple[str, int]:
    """Return the segment and voltage level of an extension; -999 where it says no level."""
    segment = str(header.get("SEGMENT", ""))
    return segment, int(header.get(f"HVLEVEL{segment[-1:]}", -999))


def read_table(hdus: fits.HDUList) -> Rectangles:
    """Return the rectangles of an open table, without those that cover nothing.

    Parameters
    ----------
    hdus
        HDUs of a GSAGTAB.
    """
    return {
        key_of(hdu.header): _first_dates(
            zip(*(hdu.data[name].tolist() for name in _BOX_COLUMNS), strict=True)
        )
        for hdu in hdus[1:]
    }


def _first_dates(rows: Iterable[Sequence[float]]) -> dict[Box, float]:
    """Return the first date of each rectangle that covers anything; a table may have one twice."""
    boxes: dict[Box, float] = {}
    for date, *corner_and_size in rows:
        left, bottom, width, height = map(int, corner_and_size)
        if width and height:
            boxes[left, bottom, width, height] = min(
                date, boxes.get((left, bottom, width, height), np.inf)
            )
    return boxes


def read_tables(paths: Sequence[Path]) -> Columns:
    """Return the rows of the first table of the standard modes and of the first of the blue ones.

    Parameters
    ----------
    paths
        GSAGTABs.

    Returns
    -------
    mapping of str to ndarray
        ``name`` of the file, ``blue``, ``segment``, ``hvlevel``, ``mjd`` and ``lx``, ``ly``,
        ``dx``, ``dy`` (pixels).
    """
    found: dict[bool, list[tuple[Any, ...]]] = {}
    for path in paths:
        with fits.open(path) as hdus:
            blue = str(hdus[0].header.get("CENWAVE", "N/A")).startswith(BLUE[:7])
            if blue not in found:
                name = path.name.removesuffix(".gz")
                found[blue] = [
                    (name, blue, *key_of(hdu.header), *row)
                    for hdu in hdus[1:]
                    for row in zip(
                        *(hdu.data[column].tolist() for column in _BOX_COLUMNS), strict=True
                    )
                ]
    rows = list(zip(*(row for table in found.values() for row in table), strict=True)) or [
        ()
    ] * len(_ROW_NAMES)
    kinds = {"name": object, "blue": bool, "segment": object}
    return {
        name: np.array(row, dtype=kinds.get(name, float))
        for name, row in zip(_ROW_NAMES, rows, strict=True)
    }


def rectangles_of(rows: Columns) -> Rectangles:
    """Return the rectangles of one table out of the columns of `read_tables`, without those that
    cover nothing.
    """
    found: dict[tuple[str, int], list[Sequence[float]]] = {}
    for segment, level, *row in zip(*(rows[name].tolist() for name in _ROW_NAMES[2:]), strict=True):
        found.setdefault((str(segment), int(level)), []).append(row)
    return {key: _first_dates(boxes) for key, boxes in found.items()}
