"""Gain sag tables (GSAGTAB): their content out of sagged superpixels, the files, their checks and differences.

Structure and use: CalCOS 3.6.2, ``cosutil.findGSagExtn``: of the extensions of a segment, the one of the exposure's
voltage level applies, or else the nearest higher one, and of its rows those with DATE up to EXPSTART.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.time import Time
from sqlalchemy import Double, cast, select

from services.monitor.monitors.framework.monitor import Columns, RowQuery
from shared.cos.detector import FUV_SEGMENTS, X_BINNING, Y_BINNING
from shared.database.models.science import FlaggedPixel

__all__ = [
    "LEVELS",
    "Rectangles",
    "build",
    "check",
    "difference",
    "read_table",
    "read_tables",
    "rectangles_of",
    "sagged_query",
    "table_bytes",
    "without_boundary",
]

LEVELS = (0, 100, *range(142, 179))
"""Voltage levels with an extension (legacy ``cci/gsag.py``): dense, since a missing one would take the next's rows."""

DQ_GAIN_SAG = 8192
"""Data-quality flag of a sagged place."""

FILETYPE = "GAIN SAG REFERENCE TABLE"

_BOUNDARY = {"FUVA": 493, "FUVB": 557}
_BOUNDARY_MARGIN = 4
"""Rows where the blue modes lie, which sag there without harm to them (legacy ``cci/gsag.py``)."""

_DESCRIPTION_LENGTH = 67
_WIDTH, _HEIGHT = 16384, 1024
"""Pixels of a segment."""

_COLUMNS = {"DATE": "D", "LX": "J", "LY": "J", "DX": "J", "DY": "J", "DQ": "J"}

_BOX_COLUMNS = ("DATE", "LX", "LY", "DX", "DY")
_ROW_NAMES = ("name", "blue", "segment", "hvlevel", "mjd", "lx", "ly", "dx", "dy")

Rectangles = Mapping[tuple[str, int], Mapping[tuple[int, int, int, int], float]]
"""By segment and voltage level: first date (MJD) by rectangle (LX, LY, DX, DY in pixels)."""


def sagged_query() -> RowQuery:
    """Query for the superpixels that sagged: segment, ``hvlevel``, ``x``, ``y``, and when first (``mjd``)."""
    return select(
        FlaggedPixel.segment,
        cast(FlaggedPixel.dethv, Double).label("hvlevel"),
        cast(FlaggedPixel.x, Double).label("x"),
        cast(FlaggedPixel.y, Double).label("y"),
        FlaggedPixel.mjd,
    )


def build(sagged: Columns) -> Rectangles:
    """Rectangles of every segment and level.

    What sagged at a voltage is bad at every lower one, since gain only falls with it.

    Parameters
    ----------
    sagged
        Columns of `sagged_query`.
    """
    tables: dict[tuple[str, int], dict[tuple[int, int, int, int], float]] = {}
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
    """Rectangles of the table of the blue modes: those that touch the boundary's rows are left out."""
    return {
        (segment, level): {
            box: date
            for box, date in boxes.items()
            if box[1] > _BOUNDARY[segment] + _BOUNDARY_MARGIN or box[1] + box[3] < _BOUNDARY[segment] - _BOUNDARY_MARGIN
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
    primary = fits.PrimaryHDU()
    description = "Gain sagged regions for blue modes" if blue else "Gain sagged regions for standard modes"
    last = Time(newest, format="mjd").to_datetime(timezone=UTC)
    primary.header.update(
        TELESCOP="HST", INSTRUME="COS", DETECTOR="FUV", COSCOORD="USER", FILETYPE=FILETYPE, VCALCOS="2.0",
        USEAFTER="May 11 2009 00:00:00", PEDIGREE=f"INFLIGHT 11/05/2009 {last:%d/%m/%Y}",
        CENWAVE="BETWEEN 1055 1097" if blue else "N/A", DESCRIP=description.ljust(_DESCRIPTION_LENGTH, "-"),
    )  # fmt: skip
    primary.header["HISTORY"] = "Superpixels of 8 by 2 pixels whose modal gain was 3 or less, by COSMO's"
    primary.header["HISTORY"] = "gain maps; DATE is when that was first so at this voltage or a higher one."
    hdus = fits.HDUList([primary, *(_extension(*key, boxes) for key, boxes in tables.items())])
    buffer = io.BytesIO()
    hdus.writeto(buffer, checksum=False)
    return buffer.getvalue()


def _extension(segment: str, level: int, boxes: Mapping[tuple[int, int, int, int], float]) -> fits.BinTableHDU:
    # A table may not be empty: a row of zeros covers no pixel.
    rows = [(date, *box) for box, date in sorted(boxes.items(), key=lambda item: (item[1], item[0]))] or [
        (0.0, 0, 0, 0, 0)
    ]
    values = [*np.array(rows).T, np.full(len(rows), DQ_GAIN_SAG)]
    units = ("d", *("pixel",) * 4, None)
    columns = [
        fits.Column(name, form, unit, array=array)
        for (name, form), unit, array in zip(_COLUMNS.items(), units, values, strict=True)
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name=segment)
    hdu.header["SEGMENT"] = segment
    hdu.header[f"HVLEVEL{segment[-1]}"] = level
    return hdu


def _key(header: fits.Header) -> tuple[str, int]:
    segment = str(header.get("SEGMENT", ""))
    return segment, int(header.get(f"HVLEVEL{segment[-1:]}", -999))


def read_table(hdus: fits.HDUList) -> Rectangles:
    """Rectangles of an open table, without those that cover nothing.

    Parameters
    ----------
    hdus
        HDUs of a GSAGTAB.
    """
    return {_key(hdu.header): dict(_rows(hdu.data)) for hdu in hdus[1:]}


def _rows(data: Any) -> Iterator[tuple[tuple[int, int, int, int], float]]:
    for date, *box in zip(*(data[name].tolist() for name in _BOX_COLUMNS), strict=True):
        if box[2] and box[3]:
            yield (box[0], box[1], box[2], box[3]), date


def read_tables(paths: Sequence[Path]) -> Columns:
    """Rows of the first table of the standard modes and of the first of the blue ones.

    Parameters
    ----------
    paths
        GSAGTABs.

    Returns
    -------
    mapping of str to ndarray
        ``name`` of the file, ``blue``, ``segment``, ``hvlevel``, ``mjd`` and ``lx``, ``ly``, ``dx``, ``dy`` (pixels).
    """
    found: dict[bool, list[tuple[Any, ...]]] = {}
    for path in paths:
        with fits.open(path) as hdus:
            blue = str(hdus[0].header.get("CENWAVE", "N/A")).startswith("BETWEEN")
            if blue not in found:
                name = path.name.removesuffix(".gz")
                found[blue] = [
                    (name, blue, *_key(hdu.header), *row)
                    for hdu in hdus[1:]
                    for row in zip(*(hdu.data[column].tolist() for column in _BOX_COLUMNS), strict=True)
                ]
    rows = list(zip(*(row for table in found.values() for row in table), strict=True)) or [()] * len(_ROW_NAMES)
    kinds = {"name": object, "blue": bool, "segment": object}
    return {name: np.array(row, dtype=kinds.get(name, float)) for name, row in zip(_ROW_NAMES, rows, strict=True)}


def rectangles_of(rows: Columns) -> Rectangles:
    """Rectangles of one table out of the columns of `read_tables`, without those that cover nothing."""
    tables: dict[tuple[str, int], dict[tuple[int, int, int, int], float]] = {}
    for segment, level, mjd, left, bottom, width, height in zip(*(rows[name] for name in _ROW_NAMES[2:]), strict=True):
        boxes = tables.setdefault((str(segment), int(level)), {})
        if width and height:
            boxes[int(left), int(bottom), int(width), int(height)] = float(mjd)
    return tables


def check(content: bytes) -> list[str]:
    """Say what is wrong with a file that shall be delivered; nothing if it may be.

    Parameters
    ----------
    content
        A FITS file.
    """
    wrong: list[str] = []
    with fits.open(io.BytesIO(content)) as hdus:
        header = hdus[0].header
        if header.get("FILETYPE") != FILETYPE:
            wrong.append(f"FILETYPE is {header.get('FILETYPE')!r}, not {FILETYPE!r}")
        try:
            datetime.strptime(str(header.get("USEAFTER")), "%b %d %Y %H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            wrong.append(f"USEAFTER is no date: {header.get('USEAFTER')!r}")
        keys = [_key(hdu.header) for hdu in hdus[1:]]
        expected = {(segment, level) for segment in FUV_SEGMENTS for level in LEVELS}
        wrong += [f"no extension of {segment} at level {level}" for segment, level in sorted(expected - set(keys))]
        if len(set(keys)) < len(keys):
            wrong.append("two extensions are of the same segment and level")
        for key, hdu in zip(keys, hdus[1:], strict=True):
            wrong += [f"{key[0]} at level {key[1]}: {reason}" for reason in _wrong_with(hdu)]
        return wrong or list(_not_nested(read_table(hdus)))


def _not_nested(tables: Rectangles) -> Iterator[str]:
    """Levels that lack what a higher one flags: the gain only falls with the voltage."""
    for segment in FUV_SEGMENTS:
        for lower, higher in pairwise(LEVELS):
            if not tables[segment, higher].keys() <= tables[segment, lower].keys():
                yield f"{segment} at level {lower} lacks rectangles of level {higher}"


def _wrong_with(hdu: Any) -> Iterator[str]:
    formats = {column.name: column.format for column in hdu.columns}
    if formats != _COLUMNS:
        yield f"columns are {formats}, not {_COLUMNS}"
        return
    if not len(hdu.data):
        yield "no rows"
    if (hdu.data["DQ"] != DQ_GAIN_SAG).any():
        yield f"DQ other than {DQ_GAIN_SAG}"
    if not np.isfinite(hdu.data["DATE"]).all():
        yield "a DATE is no number"
    right, top = hdu.data["LX"] + hdu.data["DX"], hdu.data["LY"] + hdu.data["DY"]
    if (np.minimum(hdu.data["LX"], hdu.data["LY"]) < 0).any() or (right > 16384).any() or (top > 1024).any():
        yield "a rectangle reaches beyond the detector"


def difference(new: Rectangles, active: Rectangles) -> dict[str, Any]:
    """Tell what a new table has that the active one has not, and the reverse.

    Parameters
    ----------
    new, active
        Rectangles of both.

    Returns
    -------
    dict
        ``extensions_gained``, ``extensions_lost``; ``added``, ``removed`` and ``dates_changed`` count rectangles of the
        extensions that both have, by segment and level, where they are not zero. A rectangle counts as removed when a
        pixel of it is flagged no longer.
    """
    found: dict[str, Any] = {
        "extensions_gained": [f"{segment} {level}" for segment, level in sorted(set(new) - set(active))],
        "extensions_lost": [f"{segment} {level}" for segment, level in sorted(set(active) - set(new))],
        "added": {},
        "removed": {},
        "dates_changed": {},
    }
    for segment, level in sorted(set(new) & set(active)):
        mine, theirs = new[segment, level], active[segment, level]
        counts = {
            "added": _uncovered(mine, theirs),
            "removed": _uncovered(theirs, mine),
            "dates_changed": sum(theirs[box] != date for box, date in mine.items() if box in theirs),
        }
        for name, count in counts.items():
            if count:
                found[name][f"{segment} {level}"] = count
    return found


def _uncovered(boxes: Mapping[tuple[int, int, int, int], float], by: Mapping[tuple[int, int, int, int], float]) -> int:
    """How many rectangles have a pixel that others do not cover."""
    unknown = [box for box in boxes if box not in by]
    if not unknown:
        return 0
    covered = np.zeros((_HEIGHT, _WIDTH), dtype=bool)
    for left, bottom, width, height in by:
        covered[bottom : bottom + height, left : left + width] = True
    return sum(
        not covered[bottom : bottom + height, left : left + width].all() for left, bottom, width, height in unknown
    )
