"""Differences of the shifts of two segments or stripes at the same flash."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.monitor.framework.declaration import Columns, Values
from services.monitor.framework.statistics import trailing_outliers
from services.monitor.library.exposure_values import take, values_of
from services.monitor.library.lamp_flashes import in_statistics, pairs_of, regions_of
from services.monitor.library.running_lines import settings_of
from services.monitor.monitors.osm_shifts.rules import (
    ACROSS_PAIR,
    ALONG_PAIR,
    STRIPE_DAYS,
    STRIPE_PAIR,
)
from services.monitor.monitors.osm_shifts.shifts import Shifts

__all__ = ["Difference", "difference_values", "differences_of"]

_PAIRS = {
    "FUV": {"A-B": ("FUVA", "FUVB")},
    "NUV": {"B-C": ("NUVB", "NUVC"), "C-A": ("NUVC", "NUVA")},
}
"""Differences of each detector: name, and the segments or stripes."""


@dataclass(frozen=True)
class Difference:
    """First less second segment at each flash that both have; arrays of shape (n,).

    Attributes
    ----------
    name
        A-B, B-C or C-A.
    columns
        Flashes of the first segment; ``segment`` is the name.
    status
        Why it enters no statistic: that of the first segment, else of the second.
    raw, corrected, across
        Differences of SHIFT_DISP, of that without FP-POS, and of SHIFT_XDISP, pix.
    error, error_across
        Their one-sigma errors, pix.
    far, far_across
        Which of them a rule hit.
    """

    name: str
    columns: Columns
    status: np.ndarray
    raw: np.ndarray
    corrected: np.ndarray
    across: np.ndarray
    error: np.ndarray
    error_across: np.ndarray
    far: np.ndarray
    far_across: np.ndarray

    @property
    def compared(self) -> np.ndarray:
        """What the rule along dispersion looks at: without FP-POS, where that is known."""
        return np.where(np.isfinite(self.corrected), self.corrected, self.raw)


def differences_of(shifts: Shifts) -> list[Difference]:
    """Return the differences of a detector that any exposure has.

    Segments are of one moment: the time of a segment's flash is the median of its events.
    """
    return [
        _difference(shifts, name, *pairs)
        for name, segments in _PAIRS[shifts.detector].items()
        if len((pairs := pairs_of(shifts.columns, *segments))[0])
    ]


def _difference(shifts: Shifts, name: str, first: np.ndarray, second: np.ndarray) -> Difference:
    order = np.argsort(first, kind="stable")
    first, second = first[order], second[order]
    columns = take(shifts.columns, first)
    columns["segment"] = np.full(len(first), name, dtype=object)

    def less(column: str) -> np.ndarray:
        found: np.ndarray = shifts.columns[column][first] - shifts.columns[column][second]
        return found

    status = np.where(shifts.status[first] == "", shifts.status[second], shifts.status[first])
    raw, corrected, across = less("shift_disp"), less("x_shift"), less("y_shift")
    error = np.hypot(shifts.error[first], shifts.error[second])
    counted = in_statistics(status, templates=False)
    if shifts.detector == "FUV":
        compared = np.where(np.isfinite(corrected), corrected, raw)
        far = counted & (np.abs(compared) > ALONG_PAIR.at(columns["mjd"]))
        far_across = counted & (np.abs(across) > ACROSS_PAIR.at(columns["mjd"]))
    else:
        far = _off_median(columns, np.where(in_statistics(status), corrected, np.nan), error)
        far_across = np.zeros(len(first), dtype=bool)
    return Difference(
        name=name,
        columns=columns,
        status=status,
        raw=raw,
        corrected=corrected,
        across=across,
        error=error,
        error_across=np.hypot(shifts.error_across[first], shifts.error_across[second]),
        far=far,
        far_across=far_across,
    )


def _off_median(columns: Columns, difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return which differences are far off those of the same setting before them."""
    found = np.zeros(len(difference), dtype=bool)
    setting = settings_of(columns, ("opt_elem", "cenwave"))
    for number in range(int(setting.max(initial=-1)) + 1):
        same = np.flatnonzero(setting == number)
        found[same] = trailing_outliers(
            columns["mjd"][same],
            difference[same],
            error[same],
            sigmas=STRIPE_PAIR.now,
            days=STRIPE_DAYS,
        )
    return found


def difference_values(difference: Difference) -> Iterator[Values]:
    """Yield the differences at every flash; the region is its number, and why it is left out."""
    columns = difference.columns
    region = regions_of(columns, difference.status)
    measured = {
        "difference": (difference.raw, difference.error, difference.far),
        "difference_corrected": (difference.corrected, difference.error, difference.far),
        "difference_xdisp": (
            difference.across,
            difference.error_across,
            difference.far_across,
        ),
    }
    for quantity, (value, error, far) in measured.items():
        yield values_of(quantity, columns, value, error, region=region, outlier=far)
