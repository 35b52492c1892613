"""Drifts of lamp flashes against the first flash of the same exposure and segment."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.monitor.framework.declaration import Columns, Values
from services.monitor.library.exposure_values import notes_of, take, values_of
from services.monitor.library.groups import codes_of, phrases, texts_of
from services.monitor.library.lamp_flashes import (
    across_error,
    along_error,
    in_statistics,
    of_detector,
    position_names,
    regions_of,
    statuses,
)
from services.monitor.monitors.osm_drifts.rules import FAR, FAST, FAST_SIGMAS, FAST_SINCE

__all__ = ["PENDING", "Drifts", "drift_values", "upstream_values"]

PENDING = "pending"
"""Status of a flash of whose exposure there is no schedule report yet."""


@dataclass(frozen=True)
class Drifts:
    """Flashes after the first one, in the order of time; arrays of shape (n,).

    Attributes
    ----------
    detector
        FUV or NUV.
    columns
        Columns of the flashes, and ``note``, what points say of them.
    status
        Why a flash enters no statistic; empty where it does.
    moved
        Shift along dispersion since the first flash, pix.
    along, across
        Drifts along and across dispersion, pix/s.
    error, error_across
        Their one-sigma errors.
    since
        Time of the flash since the last move of OSM1 and, of the NUV, OSM2, s, by mechanism; NaN
        where it is pending.
    seconds
        Time since the first flash, s.
    fast, far
        Which of them a rule hit.
    """

    detector: str
    columns: Columns
    status: np.ndarray
    moved: np.ndarray
    along: np.ndarray
    across: np.ndarray
    error: np.ndarray
    error_across: np.ndarray
    since: dict[str, np.ndarray]
    seconds: np.ndarray
    fast: np.ndarray
    far: np.ndarray

    @classmethod
    def of(cls, detector: str, flashes: Columns, moves: Columns) -> "Drifts":
        """Compare the flashes of a detector with the first of each exposure and segment.

        Parameters
        ----------
        detector
            FUV or NUV.
        flashes
            Columns of `services.monitor.library.lamp_flashes.flashes_by_files`.
        moves
            ``rootname``, and ``tsinceosm1`` and ``tsinceosm2``: seconds from the last move of each
            mechanism to the start of the exposure.
        """
        columns = of_detector(flashes, detector)
        status = statuses(columns)
        later, first = _later_and_first(columns)
        reports = _since_moves(columns["rootname"][later], moves, detector)
        mine = take(columns, later)
        own = _status(status[later], status[first], reports)
        mine["note"] = notes_of(mine) + ", " + regions_of(mine, own)
        seconds = columns["time"][later] - columns["time"][first]
        seconds = np.where(seconds > 0, seconds, np.nan)

        def less(name: str) -> np.ndarray:
            found: np.ndarray = columns[name][later] - columns[name][first]
            return found

        def joint(error: np.ndarray) -> np.ndarray:
            found: np.ndarray = np.hypot(error[later], error[first]) / seconds
            return found

        moved = less("shift_disp")
        along, error = moved / seconds, joint(along_error(columns, detector))
        since = {name: report + mine["time"] for name, report in reports.items()}
        limit = FAST.at(mine["mjd"]) + FAST_SIGMAS * error
        measured = in_statistics(own) | (own == PENDING)
        latest = np.min(list(since.values()), axis=0)
        return cls(
            detector=detector,
            columns=mine,
            status=own,
            moved=moved,
            along=along,
            across=less("y_shift") / seconds,
            error=error,
            error_across=joint(across_error(columns, detector)),
            since=since,
            seconds=seconds,
            fast=measured & (latest > FAST_SINCE) & (np.abs(along) > limit),
            far=measured & (np.abs(moved) > FAR[detector].at(mine["mjd"])),
        )

    @cached_property
    def counted(self) -> np.ndarray:
        """Which flashes enter statistics."""
        found: np.ndarray = in_statistics(self.status) & np.isfinite(self.along)
        return found

    @cached_property
    def outlier(self) -> np.ndarray:
        """Which flashes a rule hit."""
        found: np.ndarray = self.fast | self.far
        return found

    @cached_property
    def group(self) -> np.ndarray:
        """Grating and lifetime position (FUV) or stripe (NUV) of each; text, shape (n,)."""
        fuv = self.detector == "FUV"
        part = position_names(self.columns["life_adj"]) if fuv else self.columns["segment"]
        return phrases("{} {}", self.columns["opt_elem"], part)


def _later_and_first(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the flashes after the first, and of the first of each of them.

    Flashes of a segment of an exposure follow each other, in the order of their numbers.
    """
    segment, _ = codes_of(columns["segment"])
    count = len(segment)
    begins = np.ones(count, dtype=bool)
    begins[1:] = (np.diff(columns["file_id"]) != 0) | (np.diff(segment) != 0)
    starts = np.flatnonzero(begins)
    first = starts[np.cumsum(begins) - 1] if count else starts
    later = np.flatnonzero(~begins & (columns["flash"][first] == 1))
    return later, first[later]


def _since_moves(rootnames: np.ndarray, moves: Columns, detector: str) -> dict[str, np.ndarray]:
    """Return the seconds from the last move to the start of exposures, by mechanism.

    OSM2 is not in the way of light to the FUV.
    """
    row = {name: number for number, name in enumerate(moves["rootname"].tolist())}
    rows = np.array([row.get(name, len(row)) for name in rootnames.tolist()], dtype=int)
    names = ("osm1",) if detector == "FUV" else ("osm1", "osm2")
    return {name: np.append(moves[f"tsince{name}"], np.nan)[rows] for name in names}


def _status(later: np.ndarray, first: np.ndarray, reports: dict[str, np.ndarray]) -> np.ndarray:
    """Return why a drift enters no statistic: that of its own flash, of the first, or no report.

    The template does not matter: what FP-POS commands is in both shifts.
    """

    def without_template(status: np.ndarray) -> np.ndarray:
        return np.where(status == "no template", "", status)

    later, first = without_template(later), without_template(first)
    found = np.where((later == "") & (first != ""), "first flash " + first, later)
    pending = np.any([~np.isfinite(one) for one in reports.values()], axis=0)
    return np.where((found == "") & pending, PENDING, found)


def drift_values(drifts: Drifts) -> Iterator[Values]:
    """Yield drifts and times since moves of every flash after the first."""
    columns, region = drifts.columns, regions_of(drifts.columns, drifts.status)
    measured = {
        "drift": (drifts.along, drifts.error),
        "drift_xdisp": (drifts.across, drifts.error_across),
        **{f"since_{name}": (value, None) for name, value in drifts.since.items()},
    }
    for quantity, (value, error) in measured.items():
        yield values_of(quantity, columns, value, error, region=region, outlier=drifts.outlier)


def upstream_values(detector: str, flashes: Columns) -> Values:
    """Return drifts along dispersion as the OSM drift monitor of ``spacetelescope/cosmo`` has them.

    The first row of an exposure is subtracted from all others, whatever their segment, and the rest
    divided by the time since the start of the exposure.
    """
    columns = of_detector(flashes, detector)
    begins = np.diff(columns["file_id"], prepend=-1.0) != 0
    starts = np.flatnonzero(begins)
    rows = np.flatnonzero(~begins)
    mine = take(columns, rows)
    first = columns["shift_disp"][starts[np.cumsum(begins)[rows] - 1]]
    time = np.where(mine["time"] > 0, mine["time"], np.nan)
    drift = (mine["shift_disp"] - first) / time
    region = texts_of("flash {:.0f}", mine["flash"])
    return values_of("drift_upstream", mine, drift, region=region)
