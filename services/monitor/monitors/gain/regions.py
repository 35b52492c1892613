"""Rows of the detector where spectra fall at each lifetime position, and the modal gain there by
exposure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.monitor.framework.declaration import Columns, Values
from services.monitor.framework.statistics import robust_sigma
from services.monitor.library.exposure_values import take, values_of
from services.monitor.library.running_lines import (
    FEWEST,
    away_from_lines,
    away_within_settings,
    settings_of,
)
from services.monitor.monitors.gain.pixels import (
    PixelHistory,
    place_of,
    places_of,
    ranked_within,
    scaled,
)
from services.monitor.monitors.gain.rules import OFF_LINE
from services.monitor.monitors.gain.trends import REPEATS, Trend, fit_trend
from shared.cos.detector import X_BINNING, Y_BINNING
from shared.cos.instrument_history import LIFETIME_POSITIONS

__all__ = ["ROWS", "Region", "in_spectrum", "medians_of", "regions_of", "within"]

_SETTING = ("aperture", "opt_elem", "cenwave")
"""What decides which superpixels of a region light falls on: some have lost more of their gain than
others.
"""

_LEAST_PIXELS = 20
"""Superpixels that the median of a region needs."""

_BLOCK = 2048 // X_BINNING
"""Superpixels along dispersion of a region."""

_MARGIN = 6
"""Rows beyond those of the lifetime positions where light may have fallen: spectra have wings."""

_MEDIAN_ERROR = 1.2533
"""Error of the median of normal values over that of their mean."""

_KNOWN_ROWS = {
    "FUVA": {1: (472, 502), 2: (507, 550), 3: (447, 472), 4: (406, 441)},
    "FUVB": {1: (531, 561), 2: (572, 595), 3: (505, 530), 4: (470, 493)},
}
"""Rows of the lifetime positions, in pixels (gain monitor of ``peewee4cosmo``)."""

_CENTRE_LP1 = {"FUVA": 487.0, "FUVB": 546.0}
_ROWS_PER_ARCSEC = 12.0
_HALF_HEIGHT = 15.0
"""Later positions lie where their offsets in arcsec put them: an inference from the first four,
good to 6 rows.
"""


def _rows_of(segment: str, number: int, offset: float) -> tuple[int, int]:
    if number in _KNOWN_ROWS[segment]:
        return _KNOWN_ROWS[segment][number]
    centre = _CENTRE_LP1[segment] + _ROWS_PER_ARCSEC * offset
    return int(centre - _HALF_HEIGHT), int(centre + _HALF_HEIGHT)


ROWS: Final = {
    segment: {
        position.number: _rows_of(segment, position.number, position.offset)
        for position in LIFETIME_POSITIONS
    }
    for segment in _KNOWN_ROWS
}
"""First and last row of each lifetime position by segment and number, in pixels."""


def within(y: np.ndarray, rows: tuple[int, int]) -> np.ndarray:
    """Return which rows of superpixels lie in rows of pixels."""
    low, high = (row // Y_BINNING for row in rows)
    found: np.ndarray = (y >= low) & (y <= high)
    return found


def in_spectrum(segment: str, y: np.ndarray) -> np.ndarray:
    """Return which rows of superpixels are where spectra fall at any lifetime position."""
    rows = ROWS[segment].values()
    return within(
        y, (min(low for low, _ in rows) - _MARGIN, max(high for _, high in rows) + _MARGIN)
    )


@dataclass(frozen=True)
class Region:
    """Gains of one region by exposure, in order of time.

    Attributes
    ----------
    values
        Median gains as measured, in bins, with the errors of the medians, outliers marked; arrays
        of shape (n,).
    reference
        The same at the reference level, shape (n,).
    trend
        Line through the newest of them; None where they are too few.
    settings
        Columns of their files that `exposure_values.notes_of` states.
    """

    segment: str
    life_adj: int
    block: int
    values: Values
    reference: np.ndarray
    trend: Trend | None
    settings: Columns

    @property
    def name(self) -> str:
        """Lifetime position, and columns in pixels."""
        return _name(self.life_adj, self.block)

    @property
    def level(self) -> float:
        """Newest commanded level."""
        return float(self.values.hvlevel[-1])


def medians_of(segment: str, history: PixelHistory) -> Columns:
    """Find the modal gain of each exposure in rows of each lifetime position and 2048 columns, at
    that position.

    Parameters
    ----------
    segment
        FUVA or FUVB.
    history
        Gains of whole exposures.

    Returns
    -------
    Mapping of str to ndarray
        ``file_id``, ``position``, ``block`` (columns over 2048), ``median`` and its ``error``
        (bins); shape (n,).
    """
    _, y, x = place_of(history.pixel)
    exposures, moved = len(history.files["mjd"]), history.files["life_adj"]
    found = [np.zeros((5, 0))]
    for position, rows in ROWS[segment].items():
        # Lamp light of exposures at other positions falls on these rows too, but not on the same
        # ones of them.
        there = ~(np.isfinite(moved) & (moved != position))
        inside = np.flatnonzero(within(y, rows) & there[history.file])
        block = x[inside] // _BLOCK
        for number in np.unique(block).tolist():
            mine = inside[block == number]
            median, error = _medians(history.file[mine], history.gain[mine], exposures)
            known = np.flatnonzero(np.isfinite(median))
            where = np.broadcast_to([[position], [number]], (2, len(known)))
            found.append(
                np.stack([history.files["file_id"][known], *where, median[known], error[known]])
            )
    return dict(
        zip(
            ("file_id", "position", "block", "median", "error"),
            np.concatenate(found, axis=1),
            strict=True,
        )
    )


def regions_of(segment: str, medians: Columns, files: Columns) -> Iterator[Region]:
    """Yield the regions of a segment.

    Rows of a lifetime position and 2048 columns, by the exposures at that position.

    Parameters
    ----------
    segment
        FUVA or FUVB.
    medians
        Columns of `medians_of`.
    files
        Files of the segment in order of time.
    """
    place = places_of(medians["file_id"], files)
    found = []
    for position in ROWS[segment]:
        for block in (
            np.unique(medians["block"][medians["position"] == position]).astype(int).tolist()
        ):
            mine = np.flatnonzero((medians["position"] == position) & (medians["block"] == block))
            mine = mine[np.argsort(place[mine])]
            found.append(
                _gains(
                    position,
                    block,
                    place[mine],
                    files,
                    medians["median"][mine],
                    medians["error"][mine],
                )
            )
    together = _off_together(found, files)
    for gains in found:
        limit = OFF_LINE.at(gains.files["mjd"])
        outlier = (np.abs(gains.away) > limit * gains.scatter) | (
            np.abs(together[gains.place]) > limit
        )
        yield _region(segment, gains, outlier)


@dataclass(frozen=True)
class _Gains:
    """Gains of a region, in order of time; arrays of shape (n,).

    Attributes
    ----------
    place
        Places of their files.
    files
        Columns of these.
    away, scatter
        Distances from lines through those about them, NaN where there are too few, and the scatter
        about these.
    """

    position: int
    block: int
    place: np.ndarray
    files: Columns
    gain: np.ndarray
    error: np.ndarray
    reference: np.ndarray
    away: np.ndarray
    scatter: np.ndarray


def _medians(group: np.ndarray, values: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the median of each group and its error; NaN where there are too few values."""
    number = np.bincount(group, minlength=groups)
    ranked = ranked_within(group, values)
    start = np.cumsum(number) - number
    rich = np.flatnonzero(number >= _LEAST_PIXELS)
    first, count = start[rich], number[rich]
    median, error = np.full(groups, np.nan), np.full(groups, np.nan)
    median[rich] = (ranked[first + (count - 1) // 2] + ranked[first + count // 2]) / 2
    mean = np.bincount(group, values, groups)[rich] / count
    square = np.bincount(group, values**2, groups)[rich] / count
    scatter = np.sqrt(np.maximum(square - mean**2, 0.0) * count / (count - 1))
    error[rich] = _MEDIAN_ERROR * scatter / np.sqrt(count)
    return median, error


def _gains(
    position: int,
    block: int,
    place: np.ndarray,
    files: Columns,
    gain: np.ndarray,
    error: np.ndarray,
) -> _Gains:
    mine = dict(take(files, place)) | {"life_adj": np.full(len(gain), float(position))}
    reference = scaled(gain, mine["hvlevel"])
    away, scatter = _off_lines(mine, reference, error)
    return _Gains(position, block, place, mine, gain, error, reference, away, scatter)


def _off_lines(
    files: Columns, gain: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance of each gain from the line of its setting, or of all where its own has
    too few, and the scatter.
    """
    within, every = away_within_settings(files, gain, _SETTING), away_from_lines(files["mjd"], gain)
    rare = np.isnan(within)
    usual = np.where(rare, *(robust_sigma(away[np.isfinite(away)]) for away in (every, within)))
    return np.where(rare, every, within), np.maximum(np.fmax(error, usual), REPEATS * gain)


def _off_together(regions: Sequence[_Gains], files: Columns) -> np.ndarray:
    """Return how many sigma all regions of each file are off their lines together, as with a step
    of the voltage.

    Shape (n,).

    An exposure may be off a bit as a whole, for its light falls on all regions a bit higher or
    lower: their gains agree more often than chance would have it, and most where the gain differs
    from row to row.
    """
    off, weight = np.zeros(len(files["mjd"])), np.zeros(len(files["mjd"]))
    for one in regions:
        known = np.isfinite(one.away)
        off[one.place[known]] += one.away[known] / one.scatter[known] ** 2
        weight[one.place[known]] += 1.0 / one.scatter[known] ** 2
    together = off / np.sqrt(np.where(weight > 0, weight, 1.0))
    setting = settings_of(files, ("life_adj", *_SETTING))
    usual = np.full(len(together), robust_sigma(together[weight > 0]))
    for one in np.unique(setting):
        same = (setting == one) & (weight > 0)
        if np.count_nonzero(same) >= FEWEST:
            usual[same] = robust_sigma(together[same])
    scaled_off: np.ndarray = together / np.maximum(usual, 1.0)
    return scaled_off


def _region(segment: str, gains: _Gains, outlier: np.ndarray) -> Region:
    mine, name = gains.files, _name(gains.position, gains.block)
    values = values_of("modal_gain", mine, gains.gain, gains.error, region=name, outlier=outlier)
    trend = fit_trend(mine["mjd"][~outlier], gains.reference[~outlier])
    return Region(segment, gains.position, gains.block, values, gains.reference, trend, mine)


def _name(life_adj: int, block: int) -> str:
    first = block * _BLOCK * X_BINNING
    return f"LP{life_adj} X {first}-{first + _BLOCK * X_BINNING - 1}"
