"""Zero points: where the shifts of a setting lie in the median, and tables that say so.

A template of LAMPTAB that is moved along with its FP_PIXEL_SHIFT leaves SHIFT_DISP, and so the
wavelengths, as they are: what is left of the shift without FP-POS goes to 0, and the box in which
CalCOS looks moves along. SEARCH_OFFSET of WCPTAB moves the box alone. They are two answers to the
same median, of which one is taken at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from astropy.io import fits

from services.monitor.framework.declaration import Columns, NewArtifact
from services.monitor.framework.rules import Finding
from services.monitor.library.exposure_values import recent, take
from services.monitor.library.groups import codes_of
from services.monitor.library.lamp_flashes import configurations
from services.monitor.library.revised_tables import (
    Revision,
    active_table,
    revised_file,
    revision_findings,
    texts_in,
)
from services.monitor.monitors.osm_shifts.rules import MEDIAN, OFF_BOX
from services.monitor.monitors.osm_shifts.shifts import Shifts

__all__ = ["ZeroPoint", "box_points", "table_artifacts", "zero_point_findings", "zero_points"]

_MEDIAN_DAYS = 365.0
"""Days before the newest flash of which the median shift of a setting is taken."""
_LEAST_EXPOSURES = 5
"""Exposures of a setting without which its median says nothing."""
_MEDIAN_ERROR = 1.2533
"""Standard error of a median over that of a mean, for a normal distribution: sqrt(pi / 2)."""
_NOMINAL_FPPOS = 3
"""FP-POS of which FPOFFSET is 0."""


@dataclass(frozen=True)
class ZeroPoint:
    """Median shift, without FP-POS, of a setting of which it is far from 0.

    Attributes
    ----------
    table
        Name of the LAMPTAB, or WCPTAB, that all its flashes were measured with.
    name
        Of the setting, for readers.
    segment, opt_elem, cenwave, fppos
        The setting; of a WCPTAB the grating alone.
    median, error
        The median and its one-sigma error, pix.
    exposures
        How many exposures it is of.
    first, last
        MJD of the first and the last of them.
    """

    table: str
    name: str
    segment: str
    opt_elem: str
    cenwave: int
    fppos: int
    median: float
    error: float
    exposures: int
    first: float
    last: float


def _year(shifts: Shifts) -> dict[str, np.ndarray]:
    """Return the flashes of the last year that enter statistics, and middle and half of the width
    of their boxes.
    """
    low, high = shifts.boxes.low, shifts.boxes.high
    columns = {**shifts.columns, "middle": (low + high) / 2.0, "half": (high - low) / 2.0}
    known = np.isfinite(columns["x_shift"]) & np.isfinite(columns["fppos"])
    chosen = shifts.counted & known & recent(columns["mjd"], _MEDIAN_DAYS)
    return take(columns, np.flatnonzero(chosen))


def _of_rows(columns: Columns, rows: np.ndarray, table: str, name: str) -> ZeroPoint | None:
    """Return the median of flashes in the order of time, of those with the newest table alone.

    None where there are too few, or none says which table it is.
    """
    if not len(rows) or columns[table][rows[-1]] is None:
        return None
    mine = rows[columns[table][rows] == columns[table][rows[-1]]]
    exposures = len(np.unique(columns["file_id"][mine]))
    if exposures < _LEAST_EXPOSURES:
        return None
    shift, last = columns["x_shift"][mine], mine[-1]
    return ZeroPoint(
        table=str(columns[table][last]),
        name=name,
        segment=str(columns["segment"][last]),
        opt_elem=str(columns["opt_elem"][last]),
        cenwave=int(columns["cenwave"][last]),
        fppos=int(columns["fppos"][last]),
        median=float(np.median(shift)),
        # Flashes of an exposure are not independent of each other.
        error=_MEDIAN_ERROR * float(np.std(shift, ddof=1)) / np.sqrt(exposures),
        exposures=exposures,
        first=float(columns["mjd"][mine[0]]),
        last=float(columns["mjd"][last]),
    )


def zero_points(shifts: Shifts) -> list[ZeroPoint]:
    """Return the settings whose shifts of the last year have a median far from 0.

    A setting is a segment, grating, central wavelength and FP-POS, and a lifetime position of the
    FUV.
    """
    year = _year(shifts)
    found = []
    for name, rows in configurations(year, positions=shifts.detector == "FUV"):
        for fppos in sorted(set(year["fppos"][rows].tolist())):
            mine = rows[year["fppos"][rows] == fppos]
            one = _of_rows(year, mine, "lamptab", f"{name} FP-POS {fppos:.0f}")
            if one is not None and abs(one.median) > MEDIAN.now:
                found.append(one)
    return found


def box_points(shifts: Shifts) -> list[ZeroPoint]:
    """Return the gratings whose shifts of the last year have a median far from the middle of the
    box that CalCOS looks in.
    """
    year = _year(shifts)
    code, gratings = codes_of(year["opt_elem"])
    found = []
    for number, grating in enumerate(gratings):
        rows = np.flatnonzero((code == number) & np.isfinite(year["middle"]))
        one = _of_rows(year, rows, "wcptab", grating)
        if one is not None:
            off = abs(one.median - year["middle"][rows[-1]])
            found += [one] if off > OFF_BOX.now * year["half"][rows[-1]] else []
    return found


def zero_point_findings(
    points: Sequence[ZeroPoint], boxes: Sequence[ZeroPoint]
) -> Iterator[Finding]:
    """Apply the rules of medians.

    Parameters
    ----------
    points, boxes
        From `zero_points` and `box_points`.
    """
    for rule, of_rule in ((MEDIAN, points), (OFF_BOX, boxes)):
        for one in of_rule:
            yield rule.finding(
                f"{one.name} is shifted by {one.median:.1f} pix in the median of {one.exposures} "
                "exposures of a year",
                one.last,
                one.median,
                configuration=one.name,
            )


def table_artifacts(
    detector: str,
    points: Mapping[str, Sequence[ZeroPoint]],
    tables: Mapping[str, Columns],
) -> tuple[list[NewArtifact], list[Finding]]:
    """Make the tables with corrected zero points, where any is off.

    Parameters
    ----------
    detector
        FUV or NUV.
    points
        From `zero_points` for LAMPTAB, and `box_points` for WCPTAB.
    tables
        Columns of `services.monitor.library.revised_tables.read_active` of both.

    Returns
    -------
    tuple of list of NewArtifact and list of Finding
        The tables, and what keeps one from being made or delivered.
    """
    artifacts: list[NewArtifact] = []
    findings: list[Finding] = []
    for keyword, ending in (("LAMPTAB", "lamp"), ("WCPTAB", "wcp")):
        for name in sorted({one.table for one in points[keyword]}):
            mine = [one for one in points[keyword] if one.table == name]
            revision = _revision(keyword, detector, name, mine)
            active = active_table(tables[keyword], name)
            made = None if active is None else revised_file(revision, active, ending)
            if made is not None:
                artifacts.append(made)
            findings += revision_findings(keyword, name, made, revision.newest)
    return artifacts, findings


def _revision(keyword: str, detector: str, active: str, points: Sequence[ZeroPoint]) -> Revision:
    lamp = keyword == "LAMPTAB"
    what = "FP_PIXEL_SHIFT and INTENSITY moved" if lamp else "SEARCH_OFFSET at the median shift"
    history = [
        f"{what}, by the medians of lamp flashes of a year.",
        f"All other cells are those of {active}.",
        "Not together with a WCPTAB of the same shifts."
        if lamp
        else "With the LAMPTAB of these flashes, not with one that was moved.",
    ]
    edit = _move_templates if lamp else _move_boxes
    columns = ("FP_PIXEL_SHIFT", "INTENSITY") if lamp else ("SEARCH_OFFSET",)
    return Revision(
        keyword=keyword,
        detector=detector,
        active=active,
        description=f"{detector} {what}",
        history=history,
        oldest=min(one.first for one in points),
        newest=max(one.last for one in points),
        edit=partial(edit, points=points),
        columns=frozenset(columns),
        detail={"instead_of": "WCPTAB" if lamp else "LAMPTAB"},
    )


def _move_templates(
    table: fits.BinTableHDU, points: Sequence[ZeroPoint]
) -> tuple[fits.BinTableHDU, list[dict[str, Any]]]:
    """Move templates by whole pixels, so that they need no interpolation."""
    data = table.data
    names = {name.upper() for name in table.columns.names}
    if not {"FPOFFSET", "FP_PIXEL_SHIFT", "INTENSITY"} <= names:
        return table, []
    changed = []
    # The lifetime position in use last has the last word where one table serves several.
    for one in sorted({_key(point): point for point in _by_time(points)}.values(), key=_key):
        rows = np.flatnonzero(
            (texts_in(data, "SEGMENT") == one.segment)
            & (texts_in(data, "OPT_ELEM") == one.opt_elem)
            & (data["CENWAVE"] == one.cenwave)
            & (data["FPOFFSET"] == one.fppos - _NOMINAL_FPPOS)
        )
        pixels = round(one.median)
        for row in rows.tolist():
            before = float(data["FP_PIXEL_SHIFT"][row])
            data["FP_PIXEL_SHIFT"][row] = before + pixels
            data["INTENSITY"][row] = _moved(data["INTENSITY"][row], pixels)
            changed.append(
                {
                    "segment": one.segment,
                    "opt_elem": one.opt_elem,
                    "cenwave": one.cenwave,
                    "fppos": one.fppos,
                    "before": before,
                    "after": before + pixels,
                    **_evidence(one),
                }
            )
    return table, changed


def _by_time(points: Sequence[ZeroPoint]) -> list[ZeroPoint]:
    return sorted(points, key=lambda one: one.last)


def _key(point: ZeroPoint) -> tuple[str, str, int, int]:
    return point.segment, point.opt_elem, point.cenwave, point.fppos


def _evidence(point: ZeroPoint) -> dict[str, Any]:
    return {"median": point.median, "error": point.error, "exposures": point.exposures}


def _moved(spectrum: np.ndarray, pixels: int) -> np.ndarray:
    """Return a spectrum further right; what comes in is as what was at its end: CalCOS trims zeros
    from both of the spectra that it compares.
    """
    places = np.clip(np.arange(len(spectrum)) - pixels, 0, len(spectrum) - 1)
    found: np.ndarray = np.asarray(spectrum)[places]
    return found


def _move_boxes(
    table: fits.BinTableHDU, points: Sequence[ZeroPoint]
) -> tuple[fits.BinTableHDU, list[dict[str, Any]]]:
    """Move boxes; tables before 2013 have none of their offsets, which are 0 then."""
    if "SEARCH_OFFSET" not in {name.upper() for name in table.columns.names}:
        column = fits.Column(
            "SEARCH_OFFSET",
            "1J",
            unit="pixel",
            array=np.zeros(len(table.data), dtype=np.int32),
        )
        header = table.header
        table = fits.BinTableHDU.from_columns(table.columns + column)
        table.header.extend(header.cards, unique=True, strip=True)
    changed = []
    for one in sorted(points, key=_key):
        for row in np.flatnonzero(texts_in(table.data, "OPT_ELEM") == one.opt_elem).tolist():
            before, after = float(table.data["SEARCH_OFFSET"][row]), float(round(one.median))
            table.data["SEARCH_OFFSET"][row] = after
            changed.append(
                {"opt_elem": one.opt_elem, "before": before, "after": after, **_evidence(one)}
            )
    return table, changed
