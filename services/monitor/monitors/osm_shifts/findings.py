"""Alerts, outliers and statistics of shifts."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from services.monitor.framework.declaration import NewArtifact
from services.monitor.framework.rules import Finding, Rule
from services.monitor.framework.statistics import summarise
from services.monitor.library.exposure_values import finding_of, recent, take
from services.monitor.library.lamp_flashes import configurations
from services.monitor.monitors.osm_shifts.differences import Difference
from services.monitor.monitors.osm_shifts.rules import (
    ACROSS_PAIR,
    ALONG_PAIR,
    EDGE,
    LOST,
    STRIPE_PAIR,
)
from services.monitor.monitors.osm_shifts.shifts import Shifts

__all__ = ["outliers_file", "shift_findings", "shift_statistics"]

_Hit = tuple[Rule, Mapping[str, np.ndarray], int, float, float]
"""Rule, flashes, place of that which it hit, what was measured, and its limit."""


def _hits(shifts: Shifts, differences: Sequence[Difference]) -> Iterator[_Hit]:
    """Yield every flash that a rule for single flashes hit."""
    columns = shifts.columns
    margin = shifts.boxes.margin(columns["x_shift"])
    for index in np.flatnonzero(shifts.near).tolist():
        yield EDGE, columns, index, float(margin[index]), EDGE.now
    counts = columns["rate"] * columns["exptime"]
    for index in np.flatnonzero(shifts.lost).tolist():
        yield LOST, columns, index, float(counts[index]), LOST.now
    for one in differences:
        along = ALONG_PAIR if shifts.detector == "FUV" else STRIPE_PAIR
        for rule, value, far in (
            (along, one.compared, one.far),
            (ACROSS_PAIR, one.across, one.far_across),
        ):
            for index in np.flatnonzero(far).tolist():
                yield rule, one.columns, index, float(value[index]), rule.now


def shift_findings(shifts: Shifts, differences: Sequence[Difference]) -> Iterator[Finding]:
    """Apply the rules of single flashes to those of the last 30 days."""
    if not len(shifts.columns["mjd"]):
        return
    newest = float(shifts.columns["mjd"][-1])
    for rule, columns, index, value, _ in _hits(shifts, differences):
        if recent(np.array([columns["mjd"][index], newest]))[0]:
            yield finding_of(
                rule,
                columns,
                index,
                _message(rule, columns, index, value),
                value,
                configuration=f"{columns['segment'][index]} flash {columns['flash'][index]:.0f}",
            )


def _message(rule: Rule, columns: Mapping[str, np.ndarray], index: int, value: float) -> str:
    where = (
        f"flash {columns['flash'][index]:.0f} of {columns['rootname'][index]}, "
        f"{columns['segment'][index]} {columns['opt_elem'][index]}/"
        f"{columns['cenwave'][index]:.0f}"
    )
    if rule is EDGE:
        return f"{where}: {value:.1f} pix from the side of its search box"
    if rule is LOST:
        return f"{where}: no lamp spectrum found among {value:.0f} counts"
    return f"{where}: shifts differ by {value:.2f} pix"


def outliers_file(name: str, shifts: Shifts, differences: Sequence[Difference]) -> NewArtifact:
    """Make the file of all flashes that a rule hit, of any age, as comma-separated values.

    Parameters
    ----------
    name
        Name of the monitor.
    shifts, differences
        What the rules looked at.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    named = ("rootname", "mjd", "segment", "opt_elem", "cenwave", "fppos", "life_adj", "flash")
    writer.writerow((*named, "rule", "value", "limit"))
    number = 0
    for rule, columns, index, value, limit in _hits(shifts, differences):
        writer.writerow((*(_cell(columns[one][index]) for one in named), rule.name, value, limit))
        number += 1
    return NewArtifact(
        kind="outliers",
        name=f"{name}-outliers.csv",
        content=text.getvalue().encode(),
        detail={"outliers": number},
    )


def _cell(value: Any) -> Any:
    """Return a cell: whole numbers without a fraction, nothing for what is not known."""
    if isinstance(value, float):
        return "" if np.isnan(value) else int(value) if value.is_integer() else value
    return value


def shift_statistics(shifts: Shifts, differences: Sequence[Difference]) -> dict[str, Any]:
    """Return the statistics of each configuration, since its LAMPTAB changed last, and of what is
    left out of them by its reason.
    """
    positions = shifts.detector == "FUV"
    found: dict[str, Any] = {}
    for label, columns, status, values in (
        ("shift", shifts.columns, shifts.status, shifts.columns["x_shift"]),
        ("shift_xdisp", shifts.columns, shifts.status, shifts.columns["y_shift"]),
        *(("difference_corrected", one.columns, one.status, one.corrected) for one in differences),
    ):
        counted = status == ""
        mine = take(columns, np.flatnonzero(counted))
        for name, rows in configurations(mine, positions=positions):
            found[f"{name} {label}"] = summarise(
                mine["mjd"][rows],
                values[counted][rows],
                _last_change(mine["mjd"][rows], mine["lamptab"][rows]),
            )
    for reason in sorted(set(shifts.status[shifts.status != ""].tolist())):
        left = shifts.status == reason
        found[f"left out, {reason}: shift_disp"] = summarise(
            shifts.columns["mjd"][left], shifts.columns["shift_disp"][left]
        )
    return found


def _last_change(mjd: np.ndarray, names: np.ndarray) -> float | None:
    """Return when a name last changed; None where it never did."""
    changes = np.flatnonzero(names[1:] != names[:-1])
    return float(mjd[changes[-1] + 1]) if len(changes) else None
