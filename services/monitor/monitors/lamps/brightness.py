"""Brightness of lamp flashes by group, and the lamp-on hours before each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.monitor.framework.declaration import Columns, Values
from services.monitor.library.exposure_values import notes_of, take, values_of
from services.monitor.library.groups import codes_of, grouped, texts_of
from services.monitor.library.lamp_flashes import (
    counts_of,
    in_statistics,
    position_names,
    regions_of,
    statuses,
)
from services.monitor.monitors.lamps.rules import CUT, FAINT, LEAST_OF_GROUP, LENGTH, LOW

__all__ = ["Brightness", "Group", "brightness_values", "groups_of", "warm_up_values"]

_YEAR = 365.25
_SIGMAS = 3.0
_SHOWN = ("", "no template", "not found", "faint")
"""Statuses of flashes of which the segment's own light was counted."""


@dataclass(frozen=True)
class Group:
    """Flashes of one lamp at one current, in one setting.

    Attributes
    ----------
    name
        Lamp, current, segment, grating, central wavelength and, of the FUV, lifetime position.
    lamp
        Lamp and current.
    rows
        Places of its flashes, in the order of time.
    """

    name: str
    lamp: str
    rows: np.ndarray


@dataclass(frozen=True)
class Brightness:
    """Flashes of all lamps in the order of time; arrays of shape (n,).

    Attributes
    ----------
    columns
        Columns of the flashes, and ``note``, what points say of them.
    status
        Why a flash enters no statistic; empty where it does.
    error
        One-sigma errors of the rates, counts/s.
    groups
        What is compared with each other.
    relative, relative_error
        Rates over the median of the first year of their group, and their errors.
    commanded
        Lengths that the schedule commands, s; NaN where there is no report.
    hours
        Hours that the lamp had burnt at this current before the exposure.
    faint, low, long
        Which of them a rule hit.
    """

    columns: Columns
    status: np.ndarray
    error: np.ndarray
    groups: list[Group]
    relative: np.ndarray
    relative_error: np.ndarray
    commanded: np.ndarray
    hours: np.ndarray
    faint: np.ndarray
    low: np.ndarray
    long: np.ndarray

    @classmethod
    def of(
        cls, flashes: Columns, exposures: Columns, commands: Columns, hours: np.ndarray
    ) -> "Brightness":
        """Compare flashes with those of their group.

        Parameters
        ----------
        flashes
            Columns of `services.monitor.library.lamp_flashes.flashes_by_files`, in the order of
            time.
        exposures
            ``rootname`` and ``exptime`` (s) of exposures.
        commands
            ``rootname`` and ``flash_duration`` (s) of the schedule.
        hours
            Hours before each flash, shape (n,).
        """
        columns = dict(flashes)
        status = statuses(columns)
        columns["note"] = notes_of(columns) + ", " + regions_of(columns, status)
        seconds = np.where(columns["exptime"] > 0, columns["exptime"], np.nan)
        error = np.sqrt(np.maximum(columns["gross"] * seconds, 1.0)) / seconds
        groups = groups_of(columns)
        relative, relative_error, low = _within_groups(columns, status, error, groups)
        commanded = _looked_up(columns["rootname"], commands, "flash_duration")
        faint = (
            np.isin(status.astype(str), _SHOWN)
            & columns["has_lines"]
            & (counts_of(columns) < FAINT.at(columns["mjd"]))
        )
        end = _looked_up(columns["rootname"], exposures, "exptime")
        off = columns["exptime"] - commanded
        cut = (off < 0) & ~(columns["lamp_off"] < end - CUT)
        return cls(
            columns=columns,
            status=status,
            error=error,
            groups=groups,
            relative=relative,
            relative_error=relative_error,
            commanded=commanded,
            hours=hours,
            faint=faint,
            low=low,
            long=(np.abs(off) >= LENGTH.at(columns["mjd"])) & ~cut & (status != "copied"),
        )

    @cached_property
    def outlier(self) -> np.ndarray:
        """Which flashes a rule hit."""
        found: np.ndarray = self.faint | self.low | self.long
        return found

    @cached_property
    def counted(self) -> np.ndarray:
        """Which flashes enter statistics."""
        return in_statistics(self.status, templates=False)


def groups_of(columns: Columns) -> list[Group]:
    """Return the groups of flashes, in the order of their names.

    Parameters
    ----------
    columns
        Flashes in the order of time.
    """
    fuv = columns["detector"] == "FUV"
    parts = [columns[name] for name in ("lampused", "lampset", "segment", "opt_elem")]
    parts.append(texts_of("{:.0f}", columns["cenwave"]))
    parts.append(np.where(fuv, position_names(columns["life_adj"]), ""))
    return [
        Group(" ".join(filter(None, words)), " ".join(words[:2]), rows)
        for words, rows in grouped(*parts)
    ]


def _within_groups(
    columns: Columns, status: np.ndarray, error: np.ndarray, groups: list[Group]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rates over those of the first year of their group, their errors, and which are low."""
    count = len(error)
    relative, relative_error = np.full(count, np.nan), np.full(count, np.nan)
    low = np.zeros(count, dtype=bool)
    counted = in_statistics(status, templates=False) & np.isfinite(columns["rate"])
    shown = np.isin(status.astype(str), _SHOWN)
    for group in groups:
        mine = group.rows[counted[group.rows]]
        if not len(mine):
            continue
        rate, mjd = columns["rate"], columns["mjd"]
        first_year = float(np.median(rate[mine[mjd[mine] < mjd[mine[0]] + _YEAR]]))
        if first_year > 0:
            relative[group.rows] = rate[group.rows] / first_year
            relative_error[group.rows] = error[group.rows] / first_year
        if len(mine) >= LEAST_OF_GROUP:
            limit = LOW.now * float(np.median(rate[mine]))
            least = rate[group.rows] + _SIGMAS * error[group.rows]
            low[group.rows] = shown[group.rows] & (least < limit)
    return relative, relative_error, low


def _looked_up(rootnames: np.ndarray, table: Columns, name: str) -> np.ndarray:
    """Return a column of another table by rootname; NaN where it has no such row."""
    row = {root: number for number, root in enumerate(table["rootname"].tolist())}
    rows = np.array([row.get(root, len(row)) for root in rootnames.tolist()], dtype=int)
    found: np.ndarray = np.append(table[name], np.nan)[rows]
    return found


def brightness_values(lamps: Brightness) -> Iterator[Values]:
    """Yield rates and template scales of every flash."""
    columns, region = lamps.columns, regions_of(lamps.columns, lamps.status)
    measured = {
        "rate": (columns["rate"], lamps.error),
        "relative_rate": (lamps.relative, lamps.relative_error),
        "template_scale": (columns["template_scale"], columns["template_scale_error"]),
        "length": (columns["exptime"], None),
    }
    for quantity, (value, error) in measured.items():
        yield values_of(quantity, columns, value, error, region=region, outlier=lamps.outlier)


def warm_up_values(lamps: Brightness) -> Values:
    """Return the rate of the first flash over the mean of the later ones, by exposure and segment.

    Flashes that enter no statistic are left out; where the first is one, there is no value.
    """
    columns = take(lamps.columns, lamps.counted)
    error = lamps.error[lamps.counted]
    segment, _ = codes_of(columns["segment"])
    begins = np.ones(len(segment), dtype=bool)
    begins[1:] = (np.diff(columns["file_id"]) != 0) | (np.diff(segment) != 0)
    starts = np.flatnonzero(begins)
    if not len(starts):
        return values_of("warm_up", columns, np.empty(0))
    number = np.diff(np.append(starts, len(segment)))
    first, first_error = columns["rate"][starts], error[starts]
    later = np.add.reduceat(columns["rate"], starts) - first
    later_variance = np.add.reduceat(error**2, starts) - first_error**2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = first * (number - 1) / later
        ratio_error = ratio * np.sqrt((first_error / first) ** 2 + later_variance / later**2)
    ratio = np.where((number > 1) & (columns["flash"][starts] == 1), ratio, np.nan)
    return values_of("warm_up", take(columns, starts), ratio, ratio_error)
