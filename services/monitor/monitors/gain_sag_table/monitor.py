"""Gain sag tables: what sagged, as files that CalCOS reads, with checks and the difference to the
active ones.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import Double, func, select

from services.monitor.figures import Figure, Line, Panel
from services.monitor.figures.description import Layer, PointColumns, numbers, scatter
from services.monitor.framework.declaration import (
    Columns,
    Inputs,
    Monitor,
    NewArtifact,
    Quantity,
    Reference,
    RowQuery,
    RunOutput,
    Values,
)
from services.monitor.framework.instrument_history import lifetime_marks
from services.monitor.framework.rules import Finding, Rule, always
from services.monitor.library import gain_sag_tables as sag_tables
from services.monitor.library.gain_sag_tables import Rectangles
from services.monitor.library.reference_files import is_ready
from services.monitor.monitors.gain_sag_table import checks as sag_checks
from shared.cos.dates import decimal_year
from shared.cos.detector import FUV_SEGMENTS, X_BINNING, Y_BINNING
from shared.database.models.monitoring import MonitorRun, Severity
from shared.database.models.science import within_mission

__all__ = ["MONITOR"]

_MODES = {"standard": False, "blue": True}
_SOURCE = "legacy cci/gsag.py; COSMO's rule that nothing is lost silently"

_CHECKED = Rule(
    name="delivery-check",
    severity=Severity.ALERT,
    text="a table has the right header, every extension and column, and rectangles on the detector",
    thresholds=always(0.0, _SOURCE),
)
_COMPARED = Rule(
    name="not-compared",
    severity=Severity.INFO,
    text="the new table is compared with the one that CalCOS used last",
    source=_SOURCE,
)
_LOST = Rule(
    name="lost",
    severity=Severity.ALERT,
    text="a new table flags all that the active one flags, from the same dates on",
    thresholds=always(0.0, _SOURCE),
)

_EXPLANATION = """
CalCOS flags places of the FUV detector whose gain has sagged (DQ 8192) by a table, GSAGTAB. This
monitor computes it from what the gain monitor flagged: of each superpixel whose modal gain was 3
or less, the first date of that. An extension for each voltage level holds what had sagged at that
level or a higher one, for the gain falls with the voltage.

The table of the blue modes (1055 to 1097 Angstrom) leaves out the rows around the boundary at which
these lie.

Each file is checked for its structure and compared with the active table: the one that CalCOS used
last, read from the folder of the reference files where this service sees it. What a new table no
longer flags, or flags only from a later date on, is an alert, and such a table is not ready for
delivery, nor is one that could not be compared. Nothing is delivered from here: whether the rest of
a delivery is right, above all a recalibration with the table, is for people to judge.
"""


def _newest_query() -> RowQuery:
    """Return the query for the date of the newest gain that was looked at when superpixels were
    flagged.
    """
    newest = func.max(MonitorRun.newest_mjd, type_=Double).label("mjd")
    return select(newest).where(MonitorRun.monitor == "gain", within_mission(MonitorRun.newest_mjd))


def _active(references: Columns, *, blue: bool) -> tuple[str, Rectangles] | None:
    """Return the name and rectangles of the active table of a mode.

    None where there is none that can be read.
    """
    mine = references["blue"] == blue
    if not mine.any():
        return None
    rows = {name: column[mine] for name, column in references.items()}
    return str(rows["name"][0]), sag_tables.rectangles_of(rows)


def _table(
    mode: str, tables: Rectangles, newest: float, active: tuple[str, Rectangles] | None
) -> NewArtifact:
    content = sag_tables.table_bytes(tables, newest, blue=_MODES[mode])
    detail: dict[str, Any] = {
        "mode": mode,
        "rectangles": {
            f"{segment} {level}": len(boxes) for (segment, level), boxes in tables.items() if boxes
        },
        "wrong": sag_checks.check(content, blue=_MODES[mode]),
        "active": active[0] if active else None,
        "difference": sag_checks.difference(tables, active[1]) if active else None,
    }
    detail["ready"] = is_ready(detail, _lost(detail))
    return NewArtifact(
        kind="GSAGTAB", name=f"cosmo_{mode}_gsag.fits", content=content, detail=detail
    )


def _lost(detail: Mapping[str, Any]) -> int:
    """Return how many extensions and rectangles of the active table a new one lacks."""
    difference = detail["difference"] or {"extensions_lost": [], "removed": {}}
    return len(difference["extensions_lost"]) + int(sum(difference["removed"].values()))


def _findings(artifact: NewArtifact, newest: float) -> Iterator[Finding]:
    detail = artifact.detail
    if len(detail["wrong"]) > _CHECKED.now:
        message = f"{artifact.name} may not be delivered: {'; '.join(detail['wrong'])}"
        yield _CHECKED.finding(
            message, newest, float(len(detail["wrong"])), configuration=detail["mode"]
        )
    if detail["difference"] is None:
        message = (
            f"no active table of the {detail['mode']} modes can be read (COSMO_REFERENCES__FOLDER)"
        )
        yield _COMPARED.finding(message, newest, configuration=detail["mode"])
        return
    lost = _lost(detail)
    if lost > _LOST.now:
        message = f"{artifact.name} lacks {lost} rectangles and extensions of {detail['active']}"
        yield _LOST.finding(message, newest, float(lost), configuration=detail["mode"])


def _counts(sagged: Columns) -> Iterator[Values]:
    """Yield how many superpixels, and columns with any, had sagged by each date, by segment and
    voltage.
    """
    for segment, level in sorted(
        set(zip(sagged["segment"].tolist(), sagged["hvlevel"].tolist(), strict=True))
    ):
        mine = (sagged["segment"] == segment) & (sagged["hvlevel"] == level)
        mjd, column = sagged["mjd"][mine], sagged["x"][mine]
        order = np.argsort(mjd, kind="stable")
        first = order[np.unique(column[order], return_index=True)[1]]
        for quantity, begun in (("sagged", mjd), ("sagged_columns", mjd[first])):
            dates, counts = np.unique(begun, return_counts=True)
            count = len(dates)
            nothing, texts = np.full(count, np.nan), np.full(count, None, dtype=object)
            yield Values(
                quantity=quantity,
                mjd=dates,
                value=np.cumsum(counts).astype(float),
                error=nothing,
                rootname=texts,
                segment=np.full(count, segment, dtype=object),
                region=texts,
                hvlevel=np.full(count, level),
                life_adj=nothing,
                file_id=nothing,
                outlier=np.zeros(count, dtype=bool),
            )


def _figures(sagged: Columns, values: list[Values]) -> Iterator[Figure]:
    panels = []
    for quantity, label in (("sagged", "Superpixels"), ("sagged_columns", "Columns")):
        layers: list[Layer] = [
            Line(
                label=f"{group.segment[0]} HV {group.hvlevel[0]:.0f}",
                x=numbers(group.mjd, None),
                y=numbers(group.value),
                steps=True,
            )
            for group in values
            if group.quantity == quantity
        ]
        panels.append(
            Panel(
                x_label="Date",
                y_label=label,
                layers=[*layers, *lifetime_marks(sagged["mjd"])],
                x_is_time=True,
            )
        )
    yield Figure(
        name="count",
        title="Sagged superpixels against date",
        caption="Superpixels of 8 by 2 pixels whose modal gain has been 3 or less, by the voltage "
        "of the map that showed it, "
        "and columns with any. Dotted: moves to new lifetime positions.",
        panels=panels,
        share_x=True,
    )
    panels = []
    for segment in FUV_SEGMENTS:
        mine = sagged["segment"] == segment
        if mine.any():
            points = PointColumns(
                x=sagged["x"][mine] * X_BINNING,
                y=sagged["y"][mine] * Y_BINNING,
                colour=decimal_year(sagged["mjd"][mine]),
                notes=np.array(
                    [f"HV {level:.0f}" for level in sagged["hvlevel"][mine]], dtype=object
                ),
            )
            panels.append(
                Panel(
                    x_label="X (pix)",
                    y_label="Y (pix)",
                    layers=scatter("sagged", points, "year"),
                    title=segment,
                )
            )
    caption = "Where superpixels have sagged at any voltage, coloured by the first date of that."
    yield Figure(name="where", title="Where the gain has sagged", caption=caption, panels=panels)


def _compute(inputs: Inputs) -> RunOutput:
    newest = float(inputs["newest"]["mjd"][0])
    if not np.isfinite(newest):
        return RunOutput(newest_mjd=None)
    sagged = inputs["sagged"]
    standard = sag_tables.build(sagged)
    artifacts = [
        _table(
            mode,
            sag_tables.without_boundary(standard) if blue else standard,
            newest,
            _active(inputs["active"], blue=blue),
        )
        for mode, blue in _MODES.items()
    ]
    values = list(_counts(sagged))
    return RunOutput(
        newest_mjd=newest,
        values=values,
        figures=list(_figures(sagged, values)) if values else (),
        findings=[finding for artifact in artifacts for finding in _findings(artifact, newest)],
        artifacts=artifacts,
        statistics={
            artifact.detail["mode"]: artifact.detail["rectangles"] for artifact in artifacts
        },
    )


MONITOR = Monitor(
    name="gsag",
    title="Gain sag tables",
    explanation=_EXPLANATION.strip(),
    detector="FUV",
    version=4,
    tables=frozenset({"flagged"}),
    inputs={"sagged": sag_tables.sagged_query(), "newest": _newest_query()},
    quantities={
        "sagged": Quantity(
            unit="", description="Superpixels that had sagged by a date, at a high voltage"
        ),
        "sagged_columns": Quantity(
            unit="",
            description="Columns of superpixels of which one had sagged by a date, at a high "
            "voltage",
        ),
    },
    compute=_compute,
    cadence=timedelta(days=30),
    references={"active": Reference(keyword="GSAGTAB", read=sag_tables.read_tables)},
    rules=(_CHECKED, _COMPARED, _LOST),
)
