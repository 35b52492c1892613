"""Counts and charge that superpixels gave over time, which age the plates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.monitor.framework.declaration import Columns
from services.monitor.monitors.gain.pixels import place_of, places_of, scaled
from shared.cos.detector import GAIN_SHAPE
from shared.cos.instrument_history import Segment

__all__ = ["Total", "image_of", "is_counted", "sums_of", "total_of"]

_SIZE = GAIN_SHAPE[0] * GAIN_SHAPE[1]

_IMAGE = "l_"
"""What names of cumulative images begin with; no rootname does."""

_TIME_TAG = ("00", "01")
"""Third part of the names of cumulative images of TIME-TAG exposures."""


def is_counted(files: Columns) -> np.ndarray:
    """Return which files' counts are summed, shape (n,).

    All but exposures that begin in the days of a cumulative image.

    Parameters
    ----------
    files
        Files of a segment at one voltage, in order of time (columns of `gain_queries.files_query`).
    """
    names = [str(name) for name in files["rootname"]]
    images = np.array([name.startswith(_IMAGE) for name in names], dtype=bool)
    # Exposures that gains are of are TIME-TAG ones: no image of ACCUM exposures collects them.
    collecting = np.array(
        [name.startswith(_IMAGE) and name.split("_")[2] in _TIME_TAG for name in names], dtype=bool
    )
    begin, end = (np.append(-np.inf, files[name][collecting]) for name in ("mjd", "stop"))
    latest = np.searchsorted(begin, files["mjd"], side="right") - 1
    counted: np.ndarray = images | (files["mjd"] >= end[latest])
    return counted


def sums_of(pixels: Columns, files: Columns) -> Columns:
    """Add up what superpixels of a segment gave at one voltage, hot spots included, each event
    once.

    Parameters
    ----------
    pixels
        Columns of `gain_queries.pixels_query`.
    files
        Files of the segment at the voltage, in order of time.

    Returns
    -------
    Mapping of str to ndarray
        ``pixel`` (see `gain_pixels.place_of`), ``counts``, ``charge`` (coulomb; NaN where that of
        some is unknown); shape (m,).
    """
    once = np.flatnonzero(is_counted(files)[places_of(pixels["file_id"], files)])
    if not len(once):
        return {
            "pixel": np.zeros(0, np.int32),
            "counts": np.zeros(0),
            "charge": np.zeros(0, np.float32),
        }
    pixel = pixels["pixel"][once].astype(np.int64)
    first = pixel[0] // _SIZE * _SIZE
    counts, charge = (
        np.bincount(pixel - first, pixels[name][once], _SIZE) for name in ("counts", "charge")
    )
    found = np.flatnonzero(counts)
    return {
        "pixel": (found + first).astype(np.int32),
        "counts": counts[found],
        "charge": charge[found].astype(np.float32),
    }


def image_of(sums: Columns, name: str) -> np.ndarray:
    """Return the image of the columns of `sums_of` at any voltages together, float64 of shape (512,
    2048), zero for nothing.
    """
    _, y, x = place_of(sums["pixel"])
    return np.bincount(y * GAIN_SHAPE[1] + x, sums[name], _SIZE).reshape(GAIN_SHAPE)


@dataclass(frozen=True)
class Total:
    """Superpixels of a segment over all voltages; images of shape (512, 2048).

    Attributes
    ----------
    segment
        FUVA or FUVB.
    first, last
        Oldest and newest gain at the reference level, bins; NaN where there is none.
    counts, charge
        Events, and coulomb, since 2010; zero where there were none.
    """

    segment: Segment
    first: np.ndarray
    last: np.ndarray
    counts: np.ndarray
    charge: np.ndarray


def total_of(segment: Segment, levels: Sequence[tuple[int, Columns]], sums: Columns) -> Total:
    """Join what there is of a segment at each voltage.

    Parameters
    ----------
    segment
        FUVA or FUVB.
    levels
        Each level with its superpixels (`gain_levels.Level.pixels`).
    sums
        Columns of `sums_of`, of all voltages.
    """
    first, last = np.full(GAIN_SHAPE, np.nan), np.full(GAIN_SHAPE, np.nan)
    oldest, newest = np.full(GAIN_SHAPE, np.inf), np.full(GAIN_SHAPE, -np.inf)
    for level, pixels in levels:
        _, y, x = place_of(pixels["pixel"])
        earlier, later = pixels["begin"] < oldest[y, x], pixels["mjd"] > newest[y, x]
        for gain, time, name, begin, chosen in (
            (first, oldest, "first", "begin", earlier),
            (last, newest, "last", "mjd", later),
        ):
            place = y[chosen], x[chosen]
            gain[place] = scaled(pixels[name][chosen], np.array(level))
            time[place] = pixels[begin][chosen]
    return Total(segment, first, last, image_of(sums, "counts"), image_of(sums, "charge"))
