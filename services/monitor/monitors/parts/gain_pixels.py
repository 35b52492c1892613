"""Modal gain by superpixel: its history, where it may not be believed, what has sagged, and what changed rapidly."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from sqlalchemy import Double, Integer, String, cast, func, select, true

from services.monitor.monitors.framework.monitor import Columns, Reference, RowQuery
from services.monitor.monitors.framework.parts import written
from services.monitor.monitors.parts.gain_rules import RAPID, RAPID_DAYS, SAGGED
from shared.cos.detector import FUV_SEGMENTS, GAIN_SHAPE, X_BINNING, Y_BINNING
from shared.cos.gain import LEAST_COUNTS
from shared.database.models.operations import File
from shared.database.models.science import ROWS_PER_FILE, Gain, Header

__all__ = [
    "BINS_PER_LEVEL",
    "EARLIEST",
    "REFERENCE_LEVEL",
    "SPOTS",
    "TABLES",
    "PixelHistory",
    "files_query",
    "first_sagged",
    "history_of",
    "keys_of",
    "pixels_query",
    "place_of",
    "rapid_changes",
    "rootnames_of",
    "scaled",
]

EARLIEST = 55197.0
"""Gains before 2010-01-01, MJD, are left out (legacy gain monitor)."""

BINS_PER_LEVEL = 0.393
"""Gain of one commanded level of high voltage, in bins (legacy gain monitor)."""

REFERENCE_LEVEL = 178.0
"""Level that gains are scaled to (legacy gain monitor)."""

TABLES = frozenset({"gain", "headers"})
"""Tables that the queries read."""

_CUMULATIVE_DAYS = 7.0
"""Days that a cumulative image collects; it has no row in ``headers``."""

_MARGIN = 1
"""Superpixels about a hot spot that are left out too (legacy gain monitor)."""

_SPOT_COLUMNS = ("START", "STOP", "LX", "LY", "DX", "DY")


def pixels_query(segment: str, level: int) -> RowQuery:
    """Query for the gains of a segment: file, superpixel as ``(dethv * 512 + y) * 2048 + x``, gain, counts.

    Parameters
    ----------
    segment
        FUVA or FUVB.
    level
        Commanded level of the high voltage.
    """
    # The types keep the products from overflowing that of the columns.
    row = cast(Gain.dethv, Integer) * GAIN_SHAPE[0] + Gain.y
    return (
        select(
            Gain.file_id,
            cast(row * GAIN_SHAPE[1] + Gain.x, Integer).label("pixel"),
            Gain.gain,
            cast(Gain.counts, Double).label("counts"),
        )
        .join(File, File.id == Gain.file_id)
        .where(
            File.shown,
            Gain.segment == segment,
            Gain.counts >= LEAST_COUNTS,
            Gain.gain > 0,
            Gain.dethv == level,
            Gain.expstart > EARLIEST,
        )
    )


def files_query() -> RowQuery:
    """Query for the files that gains are of, by segment and voltage: exposures and cumulative images."""
    # Looked up file by file, by the key that their rows begin with: statistics of the table play no part.
    first = File.id * ROWS_PER_FILE
    maps = (
        select(
            func.min(Gain.rootname, type_=String).label("rootname"),
            Gain.segment,
            func.min(Gain.expstart, type_=Double).label("mjd"),
            cast(Gain.dethv, Double).label("hvlevel"),
        )
        .where(Gain.id.between(first, first + ROWS_PER_FILE - 1))
        .where(Gain.expstart > EARLIEST, Gain.dethv.is_not(None))
        .group_by(Gain.segment, Gain.dethv)
        .correlate(File)
        .lateral("maps")
    )
    headers = (
        select(func.max(Header.expend, type_=Double).label("expend"), func.max(Header.life_adj).label("life_adj"))
        .where(Header.file_id == File.id)
        .correlate(File)
        .lateral("headers_of_file")
    )
    return (
        select(
            cast(File.id, Double).label("file_id"),
            maps.c.rootname,
            maps.c.segment,
            maps.c.mjd,
            func.coalesce(headers.c.expend, maps.c.mjd + _CUMULATIVE_DAYS, type_=Double).label("stop"),
            maps.c.hvlevel,
            cast(headers.c.life_adj, Double).label("life_adj"),
            written(TABLES).label("written"),
        )
        .select_from(File)
        .join(maps, true())
        .join(headers, true())
        .where(File.shown)
    )


def _read_spots(paths: Sequence[Path]) -> Columns:
    """Rows of the SPOTTAB that was used last: segment, dates in MJD, rectangle in pixels."""
    if not paths:
        return {name: np.zeros(0) for name in ("segment", *map(str.lower, _SPOT_COLUMNS))}
    with fits.open(paths[0]) as hdus:
        rows = hdus[1].data
        segment = np.array([str(name).strip() for name in rows["SEGMENT"]], dtype=object)
        return {"segment": segment} | {name.lower(): rows[name].astype(np.float64) for name in _SPOT_COLUMNS}


SPOTS = Reference("SPOTTAB", _read_spots)
"""Transient hot spots of the detector, whose pulse heights are not those of light."""


def place_of(pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """High-voltage level, y and x of superpixels, integers of shape (n,)."""
    row, x = np.divmod(pixel.astype(np.int64), GAIN_SHAPE[1])
    level, y = np.divmod(row, GAIN_SHAPE[0])
    return level, y, x


def rootnames_of(file_id: np.ndarray, files: Columns) -> np.ndarray:
    """Rootnames of files, texts of shape (n,).

    Parameters
    ----------
    file_id
        Keys of the files, shape (n,).
    files
        Columns of `files_query`.
    """
    order = np.argsort(files["file_id"])
    names: np.ndarray = files["rootname"][order[np.searchsorted(files["file_id"][order], file_id)]]
    return names


def keys_of(segment: str, pixel: np.ndarray) -> np.ndarray:
    """Keys of superpixels in the derived tables, integers of shape (n,)."""
    keys: np.ndarray = pixel.astype(np.int64) * len(FUV_SEGMENTS) + FUV_SEGMENTS.index(segment)
    return keys


def scaled(gain: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Gain that there would be at the reference level.

    Parameters
    ----------
    gain, level
        Gains in bins and the commanded levels that they were measured at, shape (n,).
    """
    result: np.ndarray = gain + BINS_PER_LEVEL * (REFERENCE_LEVEL - level)
    return result


@dataclass(frozen=True)
class PixelHistory:
    """Gains of a segment, in order of superpixel and then time; arrays of shape (n,), or (m,) for superpixels.

    Attributes
    ----------
    files
        Files of the segment in order of time (columns of `files_query`).
    pixel, file, mjd, gain, counts
        Of each gain: superpixel at its voltage (see `place_of`), place of its file in `files`, MJD, bins, events.
    starts, number
        Of each superpixel: its first gain, and how many there are.
    """

    files: Columns
    pixel: np.ndarray
    file: np.ndarray
    mjd: np.ndarray
    gain: np.ndarray
    counts: np.ndarray
    starts: np.ndarray
    number: np.ndarray

    @property
    def pixels(self) -> np.ndarray:
        """Superpixels, shape (m,)."""
        pixels: np.ndarray = self.pixel[self.starts]
        return pixels

    @property
    def last(self) -> np.ndarray:
        """Newest gain of each superpixel: its place, shape (m,)."""
        last: np.ndarray = self.starts + self.number - 1
        return last

    @property
    def group(self) -> np.ndarray:
        """Number of the superpixel of each gain, shape (n,)."""
        return np.repeat(np.arange(len(self.starts)), self.number)


def history_of(segment: str, pixels: Columns, files: Columns, spots: Columns) -> PixelHistory:
    """Make the history of a segment, without what was measured in hot spots.

    Parameters
    ----------
    segment
        FUVA or FUVB.
    pixels, files
        Columns of `pixels_query` of the segment and of `files_query`.
    spots
        Columns of `SPOTS`.
    """
    files = {name: column[files["segment"] == segment] for name, column in files.items()}
    order = np.argsort(files["file_id"])
    file = order[np.searchsorted(files["file_id"][order], pixels["file_id"])]
    pixel = pixels["pixel"].astype(np.int64)
    # One sort of one number takes a third of the time of a sort by two.
    kept = np.argsort(pixel * max(len(order), 1) + file)
    kept = kept[~_in_spots(segment, pixel[kept], file[kept], files, spots)]
    pixel, file = pixel[kept], file[kept]
    _, starts, number = np.unique(pixel, return_index=True, return_counts=True)
    return PixelHistory(
        files, pixel, file, files["mjd"][file], pixels["gain"][kept], pixels["counts"][kept], starts, number
    )


def _in_spots(segment: str, pixel: np.ndarray, file: np.ndarray, files: Columns, spots: Columns) -> np.ndarray:
    """Which gains are of superpixels in or beside a spot that was there during the exposure."""
    found = np.zeros(len(pixel), dtype=bool)
    boxes = [
        (
            slice(int(spots["ly"][row]) // Y_BINNING - _MARGIN, -int(-top // Y_BINNING) + _MARGIN),
            slice(int(spots["lx"][row]) // X_BINNING - _MARGIN, -int(-right // X_BINNING) + _MARGIN),
            (files["mjd"] <= spots["stop"][row]) & (files["stop"] >= spots["start"][row]),
        )
        for row in np.flatnonzero(spots["segment"] == segment)
        for right, top in ((spots["lx"][row] + spots["dx"][row], spots["ly"][row] + spots["dy"][row]),)
    ]
    anywhere = np.zeros(GAIN_SHAPE, dtype=bool)
    for rows, columns, _ in boxes:
        anywhere[max(rows.start, 0) : rows.stop, max(columns.start, 0) : columns.stop] = True
    _, y, x = place_of(pixel)
    near = np.flatnonzero(anywhere[y, x])
    y, x = y[near], x[near]
    for rows, columns, then in boxes:
        inside = (y >= rows.start) & (y < rows.stop) & (x >= columns.start) & (x < columns.stop)
        found[near[inside & then[file[near]]]] = True
    return found


def first_sagged(history: PixelHistory) -> tuple[np.ndarray, np.ndarray]:
    """Superpixels whose gain was ever 3 or less, and when first (MJD); shape (k,) both."""
    low = np.flatnonzero(history.gain <= SAGGED.at(history.mjd))
    pixels, first = np.unique(history.pixel[low], return_index=True)
    return pixels, history.mjd[low[first]]


def rapid_changes(history: PixelHistory) -> tuple[np.ndarray, np.ndarray]:
    """Gains that differ from the one before by more than 5 bins within less than 28 d: their places, by how much."""
    step = np.diff(history.gain)
    near = (np.diff(history.pixel) == 0) & (np.diff(history.mjd) < RAPID_DAYS)
    found = np.flatnonzero(near & (np.abs(step) > RAPID.at(history.mjd[1:])))
    return found + 1, step[found]
