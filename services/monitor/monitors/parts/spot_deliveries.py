"""What becomes of hot spots: rows of tables that CalCOS reads, their checks, and alerts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from services.monitor.monitors.framework.history import Dated, value_at
from services.monitor.monitors.framework.monitor import Finding, NewArtifact
from services.monitor.monitors.parts import spot_tables
from services.monitor.monitors.parts.dark_maps import DarkMap, expected_counts, stacked, whole_cells
from services.monitor.monitors.parts.deliveries import is_ready
from services.monitor.monitors.parts.hot_spots import Spot, low_response
from services.monitor.monitors.parts.spot_tables import FlagRow
from shared.database.models.monitoring import Severity

__all__ = ["bad_rows", "spot_findings", "spot_rows", "table", "table_findings"]

_ALARMING = (Dated(0.0, 10.0, "rule of the dark monitor: a superpixel 10 sigma above the rest of a month's darks"),)
_LASTING = (Dated(0.0, 90.0, "rule for bad pixels: a background feature that has been there for 3 months"),)
_RECENT = (Dated(0.0, 30.0, "COSMO: the length of a period"),)
_TABLE_SOURCE = "rules of delivery; COSMO's rule that nothing is lost silently"


def spot_rows(spots: Sequence[Spot]) -> list[FlagRow]:
    """Rows of a SPOTTAB: each spot from the dark before it to the one after it."""
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
    least = float(value_at(_LASTING, np.array([spot.start]))[0])
    return spot.before == np.inf and spot.days >= least


def bad_rows(spots: Sequence[Spot], newest: Mapping[str, Sequence[DarkMap]]) -> list[FlagRow]:
    """Rows of a BPIXTAB: spots that last, and low response in the newest interval."""
    rows = [
        (spot.detector, spot_tables.in_pixels(spot.x0, spot.x1, spot.y0, spot.y1), spot_tables.DQ_BACKGROUND)
        for spot in spots
        if _is_lasting(spot)
    ]
    for detector, maps in newest.items():
        area = whole_cells(detector)
        stack = stacked(maps, area)
        rows += [
            (detector, spot_tables.in_pixels(box.x0, box.x1, box.y0, box.y1), flag)
            for box, flag in low_response(stack, expected_counts(stack), area)
        ]
    return [
        FlagRow(("N/A" if detector == "NUV" else detector, *spot_tables.ALWAYS, *box, flag))
        for detector, box, flag in rows
    ]


def table(
    kind: str, detector: str, rows: Sequence[FlagRow], newest: float, active: tuple[str, Sequence[FlagRow]] | None
) -> NewArtifact:
    """Make a table with its checks and its difference to the active one, which a BPIXTAB also has all rows of.

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
        rows = [*active[1], *(row for row in rows if spot_tables.difference([row], active[1])["added"])]
    content = spot_tables.table_bytes(kind, detector, rows, newest)
    detail: dict[str, Any] = {
        "detector": detector,
        "rows": len(rows),
        "wrong": spot_tables.check(kind, content),
        "active": active[0] if active else None,
        "difference": spot_tables.difference(rows, active[1]) if active else None,
    }
    detail["ready"] = is_ready(detail, detail["difference"]["removed"] if detail["difference"] else 0)
    ending = {"SPOTTAB": "spot", "BPIXTAB": "bpix"}[kind]
    return NewArtifact(kind, f"cosmo_{detector.lower()}_{ending}.fits", content, detail)


def table_findings(artifact: NewArtifact) -> Iterator[Finding]:
    """Rules of a table: it may be delivered, and flags all that the active one flags."""
    detail, where = artifact.detail, f"{artifact.kind} {artifact.detail['detector']}"
    if detail["difference"] is None:
        yield Finding(
            "not-compared", Severity.INFO,
            f"no active {where} can be read (COSMO_CALIBRATOR__REFERENCES)",
            "a new table is compared with the one that CalCOS used last", _TABLE_SOURCE, configuration=where,
        )  # fmt: skip
    if detail["wrong"]:
        yield Finding(
            "delivery-check", Severity.ALERT, f"{artifact.name} may not be delivered: {'; '.join(detail['wrong'])}",
            "a table has the right header, columns, and rectangles on the detector", _TABLE_SOURCE,
            float(len(detail["wrong"])), 0.0, where,
        )  # fmt: skip
    if detail["difference"] is not None and (removed := detail["difference"]["removed"]):
        yield Finding(
            "lost", Severity.ALERT, f"{artifact.name} lacks {removed} rows of {detail['active']}",
            "a new table flags all that the active one flags", _TABLE_SOURCE, float(removed), 0.0, where,
        )  # fmt: skip


def spot_findings(spots: Sequence[Spot], newest: float) -> Iterator[Finding]:
    """Rules of hot spots: bright ones of the last days, and those that last.

    Parameters
    ----------
    spots
        All of them.
    newest
        MJD of the newest dark.
    """
    at = np.array([newest])
    recent, least = float(value_at(_RECENT, at)[0]), float(value_at(_ALARMING, at)[0])
    for spot in spots:
        left, bottom, width, height = spot_tables.in_pixels(spot.x0, spot.x1, spot.y0, spot.y1)
        where = f"{spot.detector} {left},{bottom}"
        place = f"{width} by {height} pixels at ({left}, {bottom}) of {spot.detector}"
        if spot.stop > newest - recent and spot.sigma > least:
            yield Finding(
                "hot-spot", Severity.WARN, f"{place} count {spot.rate:.3g} / s in darks since MJD {spot.start:.1f}",
                f"a superpixel more than {least:.0f} sigma above its surroundings in the darks of the last "
                f"{recent:.0f} d", _ALARMING[-1].source, spot.sigma, least, where,
            )  # fmt: skip
        if _is_lasting(spot) and spot.stop > newest - recent:
            yield Finding(
                "lasting", Severity.WARN, f"{place} have been hot for {spot.days:.0f} d: bad pixels",
                "a hot spot is there for 90 d and still is", _LASTING[-1].source, spot.days, _LASTING[-1].value, where,
            )  # fmt: skip
