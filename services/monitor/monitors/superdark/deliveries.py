"""Deliveries of hot spots: rows of tables that CalCOS reads, their checks, and alerts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from services.monitor.framework.declaration import Columns, NewArtifact
from services.monitor.framework.rules import Finding, Rule, always
from services.monitor.library.reference_files import is_ready
from services.monitor.monitors.superdark import tables as spot_tables
from services.monitor.monitors.superdark.hot_spots import HOT, Spot
from services.monitor.monitors.superdark.low_response import LOW, VERY_LOW, low_response, unsagged
from services.monitor.monitors.superdark.maps import (
    DarkMap,
    expected_counts,
    inner_cells,
    stacked,
    whole_cells,
)
from services.monitor.monitors.superdark.superdarks import ACTIVE, PERIOD_DAYS
from services.monitor.monitors.superdark.tables import FlagRow
from shared.database.models.monitoring import Severity

__all__ = ["RULES", "bad_rows", "spot_findings", "spot_rows", "table", "table_findings"]

_RECENT_DAYS = PERIOD_DAYS
"""Spots that were last seen before so many days against the newest dark are no longer alarming."""

_ALARMING = Rule(
    name="hot-spot",
    severity=Severity.WARN,
    text=f"a superpixel more than {{:.0f}} sigma above its surroundings in the darks of the last "
    f"{_RECENT_DAYS:.0f} d",
    thresholds=always(
        10.0, "rule of the dark monitor: a superpixel 10 sigma above the rest of a month's darks"
    ),
)
_LASTING = Rule(
    name="lasting",
    severity=Severity.WARN,
    text="a hot spot is there for {:.0f} d and still is",
    thresholds=always(
        90.0, "rule for bad pixels: a background feature that has been there for 3 months"
    ),
)
_TABLE_SOURCE = "rules of delivery; COSMO's rule that nothing is lost silently"
_NOT_COMPARED = Rule(
    name="not-compared",
    severity=Severity.INFO,
    text="a new table is compared with the one that CalCOS used last",
    source=_TABLE_SOURCE,
)
_WRONG = Rule(
    name="delivery-check",
    severity=Severity.ALERT,
    text="a table has the right header, columns, and rectangles on the detector",
    source=_TABLE_SOURCE,
)
_LOST = Rule(
    name="lost",
    severity=Severity.ALERT,
    text="a new table flags all that the active one flags",
    thresholds=always(0.0, _TABLE_SOURCE),
)
RULES = (HOT, ACTIVE, _ALARMING, _LASTING, LOW, VERY_LOW, _WRONG, _LOST, _NOT_COMPARED)


def spot_rows(spots: Sequence[Spot]) -> list[FlagRow]:
    """Return the rows of a SPOTTAB: each spot from the dark before it to the one after it."""
    return [
        FlagRow(
            (
                spot.detector,
                spot.after if np.isfinite(spot.after) else spot.start,
                spot.before if np.isfinite(spot.before) else spot_tables.OPEN_END,
                *spot_tables.in_pixels(spot.x0, spot.x1, spot.y0, spot.y1),
                spot_tables.DQ_BACKGROUND,
            )
        )
        for spot in spots
        if spot.detector != "NUV"
    ]


def _is_lasting(spot: Spot) -> bool:
    least = float(_LASTING.at(np.array([spot.start]))[0])
    return spot.before == np.inf and spot.days >= least


def bad_rows(
    spots: Sequence[Spot],
    newest: Mapping[str, Sequence[DarkMap]],
    stacks: Mapping[str, np.ndarray],
    sagged: Columns,
) -> list[FlagRow]:
    """Return the rows of a BPIXTAB: spots that last, and low response.

    Parameters
    ----------
    spots
        All of them.
    newest
        Darks of the newest interval by detector: those of the NUV are deep enough to show low
        response.
    stacks
        Counts of all darks of the FUV segments
        (`services.monitor.monitors.superdark.low_response.stacks_of`).
    sagged
        Columns of `services.monitor.library.gain_sag_tables.sagged_query`: these are in
        another table.
    """
    rows = [
        (
            spot.detector,
            spot_tables.in_pixels(spot.x0, spot.x1, spot.y0, spot.y1),
            spot_tables.DQ_BACKGROUND,
        )
        for spot in spots
        if _is_lasting(spot)
    ]
    mjd = max((dark.mjd for maps in newest.values() for dark in maps), default=0.0)
    for detector in sorted(newest):
        area = whole_cells(detector) if detector == "NUV" else inner_cells(detector)
        stack = stacked(newest[detector], area) if detector == "NUV" else stacks[detector]
        usable = unsagged(sagged, detector, area)
        expected = np.where(usable, expected_counts(stack, usable), np.nan)
        rows += [
            (detector, spot_tables.in_pixels(box.x0, box.x1, box.y0, box.y1), flag)
            for box, flag in low_response(stack, expected, area, mjd)
        ]
    return [
        FlagRow(("N/A" if detector == "NUV" else detector, *spot_tables.ALWAYS, *box, flag))
        for detector, box, flag in rows
    ]


def table(
    kind: str,
    detector: str,
    rows: Sequence[FlagRow],
    newest: float,
    active: tuple[str, Sequence[FlagRow]] | None,
) -> NewArtifact:
    """Make a table with its checks and its difference to the active one, which a BPIXTAB also has
    all rows of.

    Parameters
    ----------
    kind, detector
        SPOTTAB or BPIXTAB, FUV or NUV.
    rows
        Rows that the darks ask for.
    newest
        MJD of the newest dark.
    active
        Name and rows of the active table; None where it cannot be read.
    """
    if kind == "BPIXTAB" and active is not None:
        rows = [
            *active[1],
            *(row for row in rows if spot_tables.difference([row], active[1])["added"]),
        ]
    content = spot_tables.table_bytes(kind, detector, rows, newest)
    detail: dict[str, Any] = {
        "detector": detector,
        "rows": len(rows),
        "wrong": spot_tables.check(kind, content),
        "active": active[0] if active else None,
        "difference": spot_tables.difference(rows, active[1]) if active else None,
    }
    detail["ready"] = is_ready(
        detail, detail["difference"]["removed"] if detail["difference"] else 0
    )
    ending = {"SPOTTAB": "spot", "BPIXTAB": "bpix"}[kind]
    return NewArtifact(
        kind=kind, name=f"cosmo_{detector.lower()}_{ending}.fits", content=content, detail=detail
    )


def table_findings(artifact: NewArtifact, newest: float) -> Iterator[Finding]:
    """Apply the rules of a table: it may be delivered, and flags all that the active one flags.

    Parameters
    ----------
    artifact
        The table.
    newest
        MJD of the newest dark.
    """
    detail, where = artifact.detail, f"{artifact.kind} {artifact.detail['detector']}"
    if detail["difference"] is None:
        message = f"no active {where} can be read (COSMO_REFERENCES__FOLDER)"
        yield _NOT_COMPARED.finding(message, newest, configuration=where)
    if detail["wrong"]:
        message = f"{artifact.name} may not be delivered: {'; '.join(detail['wrong'])}"
        yield _WRONG.finding(
            message, newest, float(len(detail["wrong"])), threshold=0.0, configuration=where
        )
    if detail["difference"] is not None and (removed := detail["difference"]["removed"]):
        message = f"{artifact.name} lacks {removed} rows of {detail['active']}"
        yield _LOST.finding(message, newest, float(removed), configuration=where)


def spot_findings(spots: Sequence[Spot], newest: float) -> Iterator[Finding]:
    """Apply the rules of hot spots: bright ones of the last days, and those that last.

    Parameters
    ----------
    spots
        All of them.
    newest
        MJD of the newest dark.
    """
    least = float(_ALARMING.at(np.array([newest]))[0])
    for spot in spots:
        left, bottom, width, height = spot_tables.in_pixels(spot.x0, spot.x1, spot.y0, spot.y1)
        where = f"{spot.detector} {left},{bottom}"
        place = f"{width} by {height} pixels at ({left}, {bottom}) of {spot.detector}"
        recent = spot.stop > newest - _RECENT_DAYS
        if recent and spot.sigma > least:
            message = f"{place} count {spot.rate:.3g} / s in darks since MJD {spot.start:.1f}"
            yield _ALARMING.finding(message, newest, spot.sigma, configuration=where)
        if recent and _is_lasting(spot):
            message = f"{place} have been hot for {spot.days:.0f} d: bad pixels"
            yield _LASTING.finding(message, spot.start, spot.days, configuration=where)
