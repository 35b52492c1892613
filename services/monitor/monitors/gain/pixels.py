"""Modal gain by superpixel.

Its history, where it may not be believed, what has sagged, and what changed rapidly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from services.monitor.framework.declaration import Columns, Reference
from services.monitor.monitors.gain.rules import RAPID, RAPID_DAYS, SAGGED
from shared.cos.detector import FUV_SEGMENTS, GAIN_SHAPE, X_BINNING, Y_BINNING

__all__ = [
    "BINS_PER_LEVEL",
    "REFERENCE_LEVEL",
    "SPOTS",
    "PixelHistory",
    "first_sagged",
    "history_of",
    "keys_of",
    "place_of",
    "places_of",
    "ranked_within",
    "rapid_changes",
    "scaled",
]

BINS_PER_LEVEL = 0.393
"""Gain of one commanded level of high voltage, in bins (legacy gain monitor)."""

REFERENCE_LEVEL = 178.0
"""Level that gains are scaled to (legacy gain monitor)."""

_MARGIN = 1
"""Superpixels about a hot spot that are left out too (legacy gain monitor)."""

_SPOT_COLUMNS = ("START", "STOP", "LX", "LY", "DX", "DY")


def _read_spots(paths: Sequence[Path]) -> Columns:
    """Return the rows of the SPOTTAB that was used last.

    Segment, dates in MJD, rectangle in pixels.
    """
    if not paths:
        return {name: np.zeros(0) for name in ("segment", *map(str.lower, _SPOT_COLUMNS))}
    with fits.open(paths[0]) as hdus:
        rows = hdus[1].data
        segment = np.array([str(name).strip() for name in rows["SEGMENT"]], dtype=object)
        return {"segment": segment} | {
            name.lower(): rows[name].astype(np.float64) for name in _SPOT_COLUMNS
        }


SPOTS = Reference(keyword="SPOTTAB", read=_read_spots)
"""Transient hot spots of the detector, whose pulse heights are not those of light."""


def place_of(pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the high-voltage level, y and x of superpixels, integers of shape (n,)."""
    row, x = np.divmod(pixel.astype(np.int64), GAIN_SHAPE[1])
    level, y = np.divmod(row, GAIN_SHAPE[0])
    return level, y, x


def places_of(file_id: np.ndarray, files: Columns) -> np.ndarray:
    """Return the places of files in their columns, integers of shape (n,).

    Parameters
    ----------
    file_id
        Keys of the files, shape (n,).
    files
        Columns of `gain_queries.files_query`.
    """
    order = np.argsort(files["file_id"])
    places: np.ndarray = order[np.searchsorted(files["file_id"][order], file_id)]
    return places


def keys_of(segment: str, pixel: np.ndarray) -> np.ndarray:
    """Return the keys of superpixels in the derived tables, integers of shape (n,)."""
    keys: np.ndarray = pixel.astype(np.int64) * len(FUV_SEGMENTS) + FUV_SEGMENTS.index(segment)
    return keys


def scaled(gain: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return the gain that there would be at the reference level.

    Parameters
    ----------
    gain, level
        Gains in bins and the commanded levels that they were measured at, shape (n,).
    """
    result: np.ndarray = gain + BINS_PER_LEVEL * (REFERENCE_LEVEL - level)
    return result


@dataclass(frozen=True)
class PixelHistory:
    """Gains of a segment, in order of superpixel and then time.

    Arrays of shape (n,), or (m,) for superpixels.

    Attributes
    ----------
    files
        Files of the segment in order of time (columns of `gain_queries.files_query`).
    pixel, file, mjd, gain, counts, charge
        Of each gain: superpixel at its voltage (see `place_of`), place of its file in `files`, MJD,
        bins, events, coulomb.
    starts, number
        Of each superpixel: its first gain, and how many there are.
    """

    files: Columns
    pixel: np.ndarray
    file: np.ndarray
    mjd: np.ndarray
    gain: np.ndarray
    counts: np.ndarray
    charge: np.ndarray
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
        Columns of `gain_queries.pixels_query` of the segment and of `gain_queries.files_query`.
    spots
        Columns of `SPOTS`.
    """
    files = {name: column[files["segment"] == segment] for name, column in files.items()}
    file = places_of(pixels["file_id"], files)
    pixel = pixels["pixel"].astype(np.int64)
    # One sort of one number takes a third of the time of a sort by two.
    kept = np.argsort(pixel * max(len(files["mjd"]), 1) + file)
    kept = kept[np.isfinite(pixels["gain"][kept])]
    kept = kept[~_in_spots(segment, pixel[kept], file[kept], files, spots)]
    pixel, file = pixel[kept], file[kept]
    _, starts, number = np.unique(pixel, return_index=True, return_counts=True)
    gain, counts, charge = (pixels[name][kept] for name in ("gain", "counts", "charge"))
    return PixelHistory(
        files, pixel, file, files["mjd"][file], gain, counts, charge, starts, number
    )


def _in_spots(
    segment: str, pixel: np.ndarray, file: np.ndarray, files: Columns, spots: Columns
) -> np.ndarray:
    """Return which gains are of superpixels in or beside a spot that was there during the
    exposure.
    """
    found = np.zeros(len(pixel), dtype=bool)
    boxes = [
        (
            slice(int(spots["ly"][row]) // Y_BINNING - _MARGIN, -int(-top // Y_BINNING) + _MARGIN),
            slice(
                int(spots["lx"][row]) // X_BINNING - _MARGIN, -int(-right // X_BINNING) + _MARGIN
            ),
            (files["mjd"] <= spots["stop"][row]) & (files["stop"] >= spots["start"][row]),
        )
        for row in np.flatnonzero(spots["segment"] == segment)
        for right, top in (
            (spots["lx"][row] + spots["dx"][row], spots["ly"][row] + spots["dy"][row]),
        )
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
    """Return the superpixels whose gain was ever 3 or less, and when first (MJD); shapes (k,)."""
    low = np.flatnonzero(history.gain <= SAGGED.at(history.mjd))
    pixels, first = np.unique(history.pixel[low], return_index=True)
    return pixels, history.mjd[low[first]]


def rapid_changes(history: PixelHistory) -> tuple[np.ndarray, np.ndarray]:
    """Return the gains that differ from the one before by more than 5 bins within less than 28 d.

    Their places, by how much.
    """
    step = np.diff(history.gain)
    near = (np.diff(history.pixel) == 0) & (np.diff(history.mjd) < RAPID_DAYS)
    found = np.flatnonzero(near & (np.abs(step) > RAPID.at(history.mjd[1:])))
    return found + 1, step[found]


def ranked_within(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sort values within each group, groups in ascending order.

    To a millionth of the largest value's reach.

    Parameters
    ----------
    group
        Number of each value's group, from 0, shape (n,).
    values
        Finite values, shape (n,).
    """
    if not len(values):
        return values
    low = values.min()
    reach = 2.0 * (values.max() - low) + 1.0
    # One sort of sums takes a third of the time of a sort by two keys.
    ranked = np.sort(group + (values - low) / reach)
    found: np.ndarray = (ranked - np.sort(group)) * reach + low
    return found
