"""Shifts of lamp flashes, and what the rules say of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.monitor.framework.declaration import Columns, Values
from services.monitor.library.exposure_values import notes_of, take, values_of
from services.monitor.library.groups import grouped, phrases, texts_of
from services.monitor.library.lamp_flashes import (
    across_error,
    along_error,
    in_statistics,
    of_detector,
    position_names,
    regions_of,
    statuses,
)
from services.monitor.monitors.osm_shifts.rules import EDGE
from services.monitor.monitors.osm_shifts.search_boxes import SearchBoxes

__all__ = ["ROLLING_DAYS", "RollingMean", "Shifts", "rolling_means", "shift_values"]

ROLLING_DAYS = 180.0
"""Days of a rolling mean (OSM shift monitors of ``spacetelescope/cosmo``)."""


@dataclass(frozen=True)
class Shifts:
    """Flashes of a detector, in the order of time; arrays of shape (n,).

    Attributes
    ----------
    detector
        FUV or NUV.
    columns
        Columns of the flashes, and ``note``, what points say of them.
    status
        Why flashes enter no statistic; empty where they do.
    error, error_across
        One-sigma errors of shifts along and across dispersion, pix.
    boxes
        Where each was looked for.
    near, lost
        Which lie at the side of their box, and which were not found though they should be.
    """

    detector: str
    columns: Columns
    status: np.ndarray
    error: np.ndarray
    error_across: np.ndarray
    boxes: SearchBoxes
    near: np.ndarray
    lost: np.ndarray

    @classmethod
    def of(cls, detector: str, flashes: Columns, boxes: Columns) -> "Shifts":
        """Look at the flashes of a detector.

        Parameters
        ----------
        detector
            FUV or NUV.
        flashes
            Columns of `services.monitor.library.lamp_flashes.flashes_by_files`.
        boxes
            Columns of `services.monitor.monitors.osm_shifts.search_boxes.read_boxes`.
        """
        columns = of_detector(flashes, detector)
        status = statuses(columns)
        columns["note"] = _notes(columns, status)
        mine = SearchBoxes.of(columns, boxes)
        margin = mine.margin(columns["x_shift"])
        return cls(
            detector=detector,
            columns=columns,
            status=status,
            error=along_error(columns, detector),
            error_across=across_error(columns, detector),
            boxes=mine,
            near=in_statistics(status) & (margin < EDGE.at(columns["mjd"])),
            lost=(status == "not found") & columns["has_lines"],
        )

    @cached_property
    def counted(self) -> np.ndarray:
        """Which flashes enter statistics of shifts without FP-POS."""
        return in_statistics(self.status)

    @cached_property
    def outlier(self) -> np.ndarray:
        """Which flashes a rule hit."""
        found: np.ndarray = self.near | self.lost
        return found

    @cached_property
    def group(self) -> np.ndarray:
        """What each has a rolling mean with: grating, and lifetime position of the FUV.

        Text, shape (n,).
        """
        grating = self.columns["opt_elem"]
        if self.detector == "NUV":
            return phrases("{}", grating)
        return phrases("{} {}", grating, position_names(self.columns["life_adj"]))


def _notes(columns: Columns, status: np.ndarray) -> np.ndarray:
    known = columns["fppos"] > 0
    position = np.where(known, texts_of(", FP-POS {:.0f}", columns["fppos"]), "")
    found: np.ndarray = notes_of(columns) + position + ", " + regions_of(columns, status)
    return found


def shift_values(shifts: Shifts) -> Iterator[Values]:
    """Yield the shifts of every flash; the region is its number, and why it is left out."""
    columns, region = shifts.columns, regions_of(shifts.columns, shifts.status)
    measured = {
        "shift_disp": (columns["shift_disp"], shifts.error),
        "shift": (columns["x_shift"], shifts.error),
        "shift_xdisp": (columns["y_shift"], shifts.error_across),
    }
    for quantity, (value, error) in measured.items():
        yield values_of(quantity, columns, value, error, region=region, outlier=shifts.outlier)


@dataclass(frozen=True)
class RollingMean:
    """Mean of the shifts of a group over the days before each exposure and up to it.

    Attributes
    ----------
    name
        Of the group.
    columns
        Of the last flash of each exposure.
    mean, error
        The mean and its one-sigma error, pix, shape (n,).
    """

    name: str
    columns: Columns
    mean: np.ndarray
    error: np.ndarray


def rolling_means(shifts: Shifts) -> list[RollingMean]:
    """Return the rolling means of all groups of flashes that enter statistics.

    The error is that of the scatter of the flashes over the root of their number, that of the flash
    itself where it is alone.
    """
    counted = np.flatnonzero(shifts.counted & np.isfinite(shifts.columns["x_shift"]))
    found = []
    for (name,), rows in grouped(shifts.group[counted]):
        mine = counted[rows]
        columns = take(shifts.columns, mine)
        mjd, value = columns["mjd"], columns["x_shift"]
        level = float(value[0])
        sums, squares = (
            np.concatenate([[0.0], np.cumsum((value - level) ** power)]) for power in (1, 2)
        )
        # All flashes of an exposure are of one time.
        begin = np.searchsorted(mjd, mjd - ROLLING_DAYS)
        end = np.searchsorted(mjd, mjd, side="right")
        number = end - begin
        mean = (sums[end] - sums[begin]) / number
        scatter = np.maximum((squares[end] - squares[begin]) / number - mean**2, 0.0)
        with np.errstate(divide="ignore"):
            several = np.sqrt(scatter / np.maximum(number - 1, 1))
        error = np.where(number > 1, several, shifts.error[mine])
        last = np.flatnonzero(np.append(columns["file_id"][1:] != columns["file_id"][:-1], True))
        found.append(RollingMean(name, take(columns, last), (mean + level)[last], error[last]))
    return found
