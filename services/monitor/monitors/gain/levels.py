"""Results of the gains of a segment at one voltage, recomputed only where gains changed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.monitor.framework.declaration import Columns, Increment, Inputs, RowQuery
from services.monitor.framework.increments import by_files, file_ranges
from services.monitor.library.exposure_values import take
from services.monitor.monitors.gain.pixels import (
    PixelHistory,
    first_sagged,
    history_of,
    place_of,
    rapid_changes,
)
from services.monitor.monitors.gain.queries import TABLES, files_query, pixels_query
from services.monitor.monitors.gain.regions import in_spectrum, medians_of
from services.monitor.monitors.gain.sums import sums_of
from services.monitor.monitors.gain.trends import TREND_DAYS, PixelTrends, trends_of
from shared.cos.instrument_history import Segment

__all__ = ["FILES", "LEVELS", "RANGES", "Level", "levels_of"]

RANGES = file_ranges(TABLES)
"""Ranges of the files that `FILES` parts them by."""

FILES = by_files("ranges", {"files": files_query()})
"""Files that gains are of (``files``), by the input ``ranges``, which is `RANGES`."""

_TABLES = ("pixels", "rapid", "next", "sums")
"""What is found of a voltage and stays by itself."""

_SHOWN = 3
"""Superpixels of a segment whose history is shown."""

_OF_FILES = ("file_id", "mjd", "stop", "life_adj", "written")
"""Columns of the files that what is found depends on."""


@dataclass(frozen=True)
class Level:
    """Superpixels of a segment at one voltage.

    Attributes
    ----------
    segment, level
        Segment, commanded level.
    new
        Whether this run computed it.
    files
        Files of the segment at this voltage, in order of time.
    pixels
        Superpixels (``pixel``, see `gain_pixels.place_of`), shape (m,): gain (bins) and time (MJD)
        of the oldest (``first``, ``begin``) and the newest (``last``, ``mjd``), ``counts`` and
        ``charge`` (C) of the newest, when the gain was first 3 or less where spectra fall
        (``sagged``, MJD, NaN for never), and columns of `PixelTrends`, NaN where there is no line.
    rapid
        Exposures that differ from those before: ``file_id``, ``mjd``, in how many superpixels
        (``count``), by how many bins at most (``largest``).
    next
        Gains of the superpixels that sag first: ``pixel``, ``file_id``, ``mjd``, ``gain``.
    sums
        What superpixels gave so far (`gain_sums.sums_of`).
    """

    segment: Segment
    level: int
    new: bool
    files: Columns
    pixels: Columns
    rapid: Columns
    next: Columns
    sums: Columns

    @property
    def mjd(self) -> float:
        """Time of the newest gain, MJD."""
        return float(self.pixels["mjd"].max())


def levels_of(inputs: Inputs, segment: Segment) -> Iterator[Level]:
    """Yield the levels of a segment that have gains, that of the newest one first.

    Parameters
    ----------
    inputs
        Inputs of which `LEVELS` is the one named ``levels``.
    segment
        FUVA or FUVB.
    """
    levels = []
    for number, (key, new) in enumerate(
        zip(*(inputs["levels"][name].tolist() for name in ("key", "new")), strict=True)
    ):
        name, level = key.split()
        if name != segment:
            continue
        tables = {table: take(inputs[table], inputs[table]["part"] == number) for table in _TABLES}
        if len(tables["pixels"]["pixel"]):
            files = _files(inputs["files"], segment, float(level))
            levels.append(Level(segment, int(level), new, files, **tables))
    yield from sorted(levels, key=lambda one: -one.mjd)


def _digests(inputs: Inputs) -> dict[str, str]:
    files = inputs.get("files")
    if files is None:
        return {}
    spots = repr([column.tolist() for column in inputs["spots"].values()]).encode()
    found = {}
    for segment, level in sorted(
        set(zip(files["segment"].tolist(), files["hvlevel"].tolist(), strict=True))
    ):
        mine = _files(files, segment, level)
        content = b"".join(mine[name].tobytes() for name in _OF_FILES)
        found[f"{segment} {level:.0f}"] = hashlib.sha256(spots + content).hexdigest()
    return found


def _files(files: Columns, segment: str, level: float) -> Columns:
    """Return the files of a segment and level in the order of time."""
    mine = take(files, (files["segment"] == segment) & (files["hvlevel"] == level))
    return take(mine, np.lexsort((mine["file_id"], mine["mjd"])))


def _rows(key: str) -> dict[str, RowQuery]:
    segment, level = key.split()
    return {"gains": pixels_query(segment, int(level))}


def _find(key: str, inputs: Inputs) -> dict[str, Columns]:
    segment, level = key.split()
    files = _files(inputs["files"], segment, float(level))
    history = history_of(segment, inputs["gains"], files, inputs["spots"])
    trends = trends_of(history)
    return {
        "pixels": _pixels(segment, history, trends),
        "medians": medians_of(segment, history),
        "rapid": _rapid(history),
        "next": _next(segment, history, trends),
        "sums": sums_of(inputs["gains"], files),
    }


def _pixels(segment: str, history: PixelHistory, trends: PixelTrends) -> Columns:
    columns = {
        "pixel": history.pixels,
        "begin": history.mjd[history.starts],
        "first": history.gain[history.starts],
        "mjd": history.mjd[history.last],
        "last": history.gain[history.last],
        "counts": history.counts[history.last],
        "charge": history.charge[history.last],
    }
    sagged, mjd = first_sagged(history)
    wanted = in_spectrum(segment, place_of(sagged)[1])
    lines = {name: column for name, column in vars(trends).items() if name != "pixel"}
    for pixels, values in ((sagged[wanted], {"sagged": mjd[wanted]}), (trends.pixel, lines)):
        place = np.searchsorted(columns["pixel"], pixels)
        for name, column in values.items():
            columns[name] = np.full(len(history.pixels), np.nan)
            columns[name][place] = column
    return columns


def _rapid(history: PixelHistory) -> Columns:
    places, steps = rapid_changes(history)
    files, number = np.unique(history.file[places], return_inverse=True)
    largest = np.zeros(len(files))
    np.maximum.at(largest, number, np.abs(steps))
    return {
        "file_id": history.files["file_id"][files],
        "mjd": history.files["mjd"][files],
        "count": np.bincount(number, minlength=len(files)),
        "largest": largest,
    }


def _next(segment: str, history: PixelHistory, trends: PixelTrends) -> Columns:
    """Return the superpixels where spectra fall, measured of late, that reach a gain of 3 first
    after the newest gain.
    """
    newest = history.mjd.max(initial=0.0)
    measured = history.mjd[history.last][np.searchsorted(history.pixels, trends.pixel)]
    wanted = in_spectrum(segment, place_of(trends.pixel)[1]) & (measured > newest - TREND_DAYS)
    coming = np.flatnonzero(wanted & (trends.sag > newest))
    chosen = coming[np.argsort(trends.sag[coming], kind="stable")][:_SHOWN]
    places = np.flatnonzero(np.isin(history.pixel, trends.pixel[chosen]))
    return {
        "pixel": history.pixel[places],
        "file_id": history.files["file_id"][history.file[places]],
        "mjd": history.mjd[places],
        "gain": history.gain[places],
    }


LEVELS = Increment(digests=_digests, rows=_rows, find=_find)
"""What is found of each segment and voltage: the tables of `Level`, and ``medians``
(`gain_regions.medians_of`).
"""
