"""Quality of exposures.

Times, events and conditions that their headers report, against what was planned.
"""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from sqlalchemy import Double, Subquery, cast, func

from services.monitor.figures import Figure, Mark, Panel
from services.monitor.figures.description import Layer, scatter
from services.monitor.framework.declaration import (
    Columns,
    Inputs,
    Monitor,
    Quantity,
    RowQuery,
    RunOutput,
)
from services.monitor.framework.rules import Finding
from services.monitor.framework.statistics import summarise
from services.monitor.library.exposure_values import (
    finding_of,
    points_of,
    recent,
    setting_columns,
    take,
    values_of,
)
from services.monitor.library.shown_rows import shown
from services.monitor.monitors.exposure_quality.checks import (
    CHECKS,
    Check,
    Measure,
    gap,
    hits_of,
    live_time,
    rejected,
    time_difference,
)
from shared.database.models.science import EventRates, ExposureQuality, Header

__all__ = ["MONITOR"]

_NUMBERS = (
    "expend",
    "exptime",
    "exptimea",
    "exptimeb",
    "plantime",
    "overflow",
    "bufftime",
    "nevents",
    "neventsa",
    "neventsb",
    "npha_a",
    "npha_b",
    "tbrst_a",
    "tbrst_b",
    "tbadt_a",
    "tbadt_b",
    "livetm_a",
    "livetm_b",
    "livetm",
    "globrate",
    "globrt_a",
    "globrt_b",
    "ninterpt",
)
_TEXTS = ("detector", "segment", "exptype", "expflag", "fgslock", "shutter", "quality")
_HEADER_TEXTS = ("detecthv", "qualcom1", "qualcom2", "qualcom3")

_EXPLANATION = """
What the header of an exposure says about its course is compared with what was planned and what is
usual. Each rule names what it found; an exposure that any rule hit is an outlier of the number of
rules, and a point in the figure of rules.

The exposure time is compared with the planned one except for target acquisitions, whose time is
that of several phases. Fractions are of the exposure time, and of the events. Exposures of the last
30 days raise alerts, older ones are flagged. The exposure time is compared with the sum of the good
time intervals that CalCOS left, segment by segment; times of start and end, and the number of
interruptions, with the intervals of the raw file. This distinguishes gaps: time that was screened
out, an interruption, or one that nothing explains.
"""


def _good_times() -> Subquery:
    """Return the good time of each exposure by its segments.

    Largest difference from EXPTIME, least good time, and the raw one.
    """
    row = EventRates
    query = shown(
        row,
        row.rootname,
        func.max(func.abs(row.exptime - row.good_time, type_=Double)).label("time_error"),
        func.min(row.good_time).label("good_time"),
        func.max(row.raw_time).label("raw_time"),
        func.max(row.raw_intervals).label("raw_intervals"),
    )
    return query.group_by(row.rootname).subquery()


def _exposures() -> RowQuery:
    table, good = ExposureQuality, _good_times()
    return (
        shown(
            table,
            table.file_id,
            table.rootname,
            table.expstart.label("mjd"),
            *(getattr(table, name) for name in _TEXTS),
            *(cast(getattr(table, name), Double).label(name) for name in _NUMBERS),
            *(getattr(Header, name) for name in _HEADER_TEXTS),
            Header.life_adj.label("life_adj"),
            *setting_columns(),
            *(column for column in good.c if column.name != "rootname"),
        )
        .outerjoin(Header, Header.file_id == table.file_id)
        .outerjoin(good, good.c.rootname == table.rootname)
        .where(table.expstart.is_not(None))
        .order_by(table.expstart)
    )


def _findings(columns: Columns, check: Check, hit: np.ndarray) -> Iterator[Finding]:
    measured = None if check.value is None else check.value(columns)
    for index in np.flatnonzero(hit & recent(columns["mjd"])):
        value = None if measured is None else float(measured[index])
        number = "" if value is None else f" ({value:.4g})"
        message = (
            f"{check.rule.words}{number} in {columns['rootname'][index]}, "
            f"{columns['exptype'][index]}"
        )
        detector = str(columns["detector"][index] or "")
        yield finding_of(check.rule, columns, index, message, value, configuration=detector)


_DRAWN: dict[str, tuple[str, Measure, str]] = {
    "time_difference": ("EXPTIME - PLANTIME (s)", time_difference, "exposure-time"),
    "gap": ("EXPEND - EXPSTART - EXPTIME (s)", gap, "gap"),
    "live_time": ("Live time", live_time, "live-time"),
    "rejected": ("Rejected by pulse height", rejected, "pulse-heights"),
}
"""Quantities: label, values, the rule that they are compared with."""


def _figure(columns: Columns, hits: dict[str, np.ndarray]) -> Figure:
    panels = []
    rules = {check.rule.name: check.rule for check in CHECKS}
    for label, measure, name in _DRAWN.values():
        layers = scatter(
            "exposures", points_of(columns, columns["mjd"], measure(columns), outlier=hits[name])
        )
        if name != "exposure-time":  # whose limit goes with the planned time
            layers.append(Mark(text="limit", y=rules[name].now))
        panels.append(Panel(x_label="Date", y_label=label, layers=layers, x_is_time=True))
    caption = (
        "Each point is an exposure; crosses are those that the rule of the panel hit. "
        "Dotted: its limit."
    )
    return Figure(
        name="history",
        title="Exposures compared with their plan",
        caption=caption,
        panels=panels,
        columns=2,
        share_x=True,
    )


def _hits_figure(columns: Columns, hits: dict[str, np.ndarray]) -> Figure:
    layers: list[Layer] = []
    for number, (name, hit) in enumerate(hits.items(), 1):
        if hit.any():
            mine = take(columns, hit)
            layers += scatter(
                name, points_of(mine, mine["mjd"], np.full(len(mine["mjd"]), float(number)))
            )
    panel = Panel(
        x_label="Date",
        y_label="Number of the rule",
        layers=layers,
        x_is_time=True,
        y_range=(0.0, len(hits) + 1.0),
    )
    caption = "Every exposure that a rule hit, by the place of the rule in the list of rules below."
    return Figure(
        name="hits",
        title="Rules hit",
        caption=caption,
        panels=[panel],
        nothing="no rule hit any exposure",
    )


def _compute(inputs: Inputs) -> RunOutput:
    columns = inputs["exposures"]
    if not len(columns["mjd"]):
        return RunOutput(newest_mjd=None)
    hits = hits_of(columns)
    number = np.sum(list(hits.values()), axis=0).astype(float)
    values = [
        values_of("rules_hit", columns, number, outlier=number > 0),
        *(
            values_of(quantity, columns, measure(columns), outlier=hits[name])
            for quantity, (_, measure, name) in _DRAWN.items()
        ),
    ]
    return RunOutput(
        newest_mjd=float(columns["mjd"].max()),
        values=values,
        figures=[_hits_figure(columns, hits), _figure(columns, hits)],
        findings=[
            finding
            for check in CHECKS
            for finding in _findings(columns, check, hits[check.rule.name])
        ],
        statistics={found.quantity: summarise(found.mjd, found.value) for found in values},
    )


MONITOR = Monitor(
    name="exposure-quality",
    title="Quality of exposures",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=5,
    tables=frozenset({"quality", "event_rates"}),
    inputs={"exposures": _exposures()},
    quantities={
        "rules_hit": Quantity(unit="", description="How many rules the exposure hit"),
        "time_difference": Quantity(
            unit="s", description="Exposure time less the planned one; not of acquisitions"
        ),
        "gap": Quantity(
            unit="s",
            description="Time from start to end less the exposure time; not of acquisitions",
        ),
        "live_time": Quantity(
            unit="", description="Smallest live time over time of the detector's segments"
        ),
        "rejected": Quantity(
            unit="", description="Largest fraction of a segment's events rejected by pulse height"
        ),
    },
    compute=_compute,
    cadence=timedelta(days=7),
    rules=tuple(check.rule for check in CHECKS),
)
