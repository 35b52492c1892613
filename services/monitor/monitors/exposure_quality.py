"""Quality of exposures: times, events and conditions that their headers report, against what was planned."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from sqlalchemy import Double, cast, select

from services.monitor.figures import Figure, Mark, Panel
from services.monitor.figures.description import PointColumns, scatter
from services.monitor.monitors.framework.monitor import Columns, Finding, Findings, Inputs, Monitor, Quantity, RowQuery
from services.monitor.monitors.framework.statistics import summarise
from services.monitor.monitors.parts.exposures import recent, values_of
from shared.database.models.monitoring import Severity
from shared.database.models.operations import File
from shared.database.models.science import ExposureQuality

__all__ = ["MONITOR"]

_NUMBERS = (
    "expend", "exptime", "exptimea", "exptimeb", "plantime", "overflow", "bufftime", "nevents", "neventsa",
    "neventsb", "npha_a", "npha_b", "tbrst_a", "tbrst_b", "tbadt_a", "tbadt_b", "livetm_a", "livetm_b", "livetm",
    "globrate", "globrt_a", "globrt_b",
)  # fmt: skip
_TEXTS = ("detector", "segment", "exptype", "expflag", "fgslock", "shutter", "quality")

_SOURCE = "inference from the meaning of the header keywords"

_BUFFER_EVENTS = 0.9 * 2.35e6
"""Events that the buffer is let take before it is read (COS Instrument Handbook: 2.35e6, with a tenth in reserve)."""

_EXPLANATION = """
What the header of an exposure tells of how it went is held against what was planned and what is usual. Each rule names
what it found; an exposure that a rule hit is drawn as an outlier.

The exposure time is compared with the planned one except for target acquisitions, whose time is that of several phases.
Fractions are of the exposure time, and of the events. Exposures of the last 30 days alarm, older ones are flagged.
"""


def _exposures() -> RowQuery:
    table = ExposureQuality
    return (
        select(
            table.file_id,
            table.rootname,
            table.expstart.label("mjd"),
            *(getattr(table, name) for name in _TEXTS),
            *(cast(getattr(table, name), Double).label(name) for name in _NUMBERS),
        )
        .join(File, File.id == table.file_id)
        .where(File.shown, table.preferred, table.expstart.is_not(None))
        .order_by(table.expstart)
    )


def _share(columns: Columns, part: str, whole: str) -> np.ndarray:
    """Larger of both segments' fractions, NaN where neither is known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [columns[f"{part}_{s}"] / columns[whole + (s if whole == "nevents" else "")] for s in "ab"]
    known = [np.where(np.isfinite(share), share, -np.inf) for share in shares]
    largest = np.maximum(*known)
    return np.where(np.isfinite(largest), largest, np.nan)


def _least(columns: Columns, *names: str) -> np.ndarray:
    smallest = np.min([np.where(np.isnan(columns[name]), np.inf, columns[name]) for name in names], axis=0)
    return np.where(np.isfinite(smallest), smallest, np.nan)


def _acquires(columns: Columns) -> np.ndarray:
    return np.array([str(kind or "").startswith("ACQ") for kind in columns["exptype"]], dtype=bool)


def _difference(columns: Columns) -> np.ndarray:
    """Exposure time less the planned one, s; NaN for acquisitions."""
    return np.where(_acquires(columns), np.nan, columns["exptime"] - columns["plantime"])


def _gap(columns: Columns) -> np.ndarray:
    """Time from start to end less the exposure time, s; NaN for acquisitions."""
    elapsed = (columns["expend"] - columns["mjd"]) * 86400.0
    return np.where(_acquires(columns), np.nan, elapsed - columns["exptime"])


def _is_other(values: np.ndarray, *usual: str) -> np.ndarray:
    return np.array([value is not None and value.strip() not in usual for value in values], dtype=bool)


def _outside(columns: Columns) -> np.ndarray:
    return np.array([str(kind or "").startswith("EXTERNAL") for kind in columns["exptype"]], dtype=bool)


def _closed(columns: Columns) -> np.ndarray:
    shut = np.array([str(one or "").upper() == "CLOSED" for one in columns["shutter"]], dtype=bool)
    found: np.ndarray = _outside(columns) & shut
    return found


def _fills(columns: Columns) -> np.ndarray:
    """Whether the buffer fills before it is to be read at the rate that was measured."""
    rates = [np.nan_to_num(columns[name]) for name in ("globrate", "globrt_a", "globrt_b")]
    rate = np.maximum(rates[0], rates[1] + rates[2])
    found: np.ndarray = rate * columns["bufftime"] > _BUFFER_EVENTS
    return found


@dataclass(frozen=True)
class _Rule:
    """A rule: which exposures it hits, the number that it looks at, if any, and its threshold."""

    name: str
    text: str
    hits: Callable[[Columns], np.ndarray]
    value: Callable[[Columns], np.ndarray] | None = None
    threshold: float | None = None
    severity: Severity = Severity.WARN


_RULES = (
    _Rule(
        "exposure-time",
        "EXPTIME differs from PLANTIME by more than 1 s and 1 %",
        lambda columns: np.abs(_difference(columns)) > np.maximum(1.0, 0.01 * columns["plantime"]),
        _difference,
    ),
    _Rule("gap", "EXPEND - EXPSTART exceeds EXPTIME by more than 2 s", lambda c: _gap(c) > 2.0, _gap, 2.0),
    _Rule("flag", "EXPFLAG is not NORMAL", lambda columns: _is_other(columns["expflag"], "NORMAL")),
    _Rule(
        "no-exposure",
        "EXPTIME is 0",
        lambda columns: columns["exptime"] == 0,
        lambda columns: columns["exptime"],
        0.0,
        Severity.ALERT,
    ),
    _Rule(
        "no-counts",
        "NEVENTS is 0",
        lambda columns: (columns["nevents"] == 0) & (columns["exptime"] > 0),
        lambda columns: columns["nevents"],
        0.0,
        Severity.ALERT,
    ),
    _Rule(
        "buffer-overflow",
        "OVERFLOW above 0",
        lambda columns: columns["overflow"] > 0,
        lambda columns: columns["overflow"],
        0.0,
        Severity.ALERT,
    ),
    _Rule("buffer-time", "GLOBRATE fills nine tenths of the buffer (2.35e6 events) within BUFFTIME", _fills),
    _Rule(
        "guiding", "FGSLOCK is not FINE in an EXTERNAL exposure",
        lambda columns: _outside(columns) & _is_other(columns["fgslock"], "FINE"),
    ),
    _Rule(
        "shutter-closed", "SHUTTER is Closed in an EXTERNAL exposure", _closed, severity=Severity.ALERT
    ),
    _Rule(
        "bursts", "bursts take more than 5 % of EXPTIME",
        lambda columns: _share(columns, "tbrst", "exptime") > 0.05,
        lambda columns: _share(columns, "tbrst", "exptime"), 0.05,
    ),
    _Rule(
        "bad-time", "bad time takes more than 5 % of EXPTIME",
        lambda columns: _share(columns, "tbadt", "exptime") > 0.05,
        lambda columns: _share(columns, "tbadt", "exptime"), 0.05,
    ),
    _Rule(
        "pulse-heights", "pulse-height limits reject more than 20 % of the events of a segment",
        lambda columns: _share(columns, "npha", "nevents") > 0.2,
        lambda columns: _share(columns, "npha", "nevents"), 0.2,
    ),
    _Rule(
        "segments", "EXPTIMEA and EXPTIMEB differ by more than 1 s",
        lambda columns: (np.abs(columns["exptimea"] - columns["exptimeb"]) > 1.0)
        & (columns["exptimea"] > 0) & (columns["exptimeb"] > 0),
        lambda columns: columns["exptimea"] - columns["exptimeb"], 1.0,
    ),
    _Rule(
        "live-time", "live time below 0.95",
        lambda columns: _least(columns, "livetm_a", "livetm_b", "livetm") < 0.95,
        lambda columns: _least(columns, "livetm_a", "livetm_b", "livetm"), 0.95,
    ),
    _Rule("comment", "QUALITY is not empty, N/A or OK", lambda columns: _is_other(columns["quality"], "", "OK")),
)  # fmt: skip
"""One rule for a keyword, or for keywords that must agree."""


def _findings(columns: Columns, rule: _Rule, hit: np.ndarray) -> Iterator[Finding]:
    measured = None if rule.value is None else rule.value(columns)
    for index in np.flatnonzero(hit & recent(columns["mjd"])):
        value = None if measured is None else float(measured[index])
        number = "" if value is None else f" ({value:.4g})"
        yield Finding(
            rule.name,
            rule.severity,
            f"{rule.text}{number} in {columns['rootname'][index]}, {columns['exptype'][index]}",
            rule.text,
            _SOURCE,
            value,
            rule.threshold,
            str(columns["detector"][index] or ""),
            columns["rootname"][index],
        )


_DRAWN = {
    "time_difference": ("EXPTIME - PLANTIME (s)", _difference, None),
    "gap": ("EXPEND - EXPSTART - EXPTIME (s)", _gap, 2.0),
    "live_time": ("Live time", lambda columns: _least(columns, "livetm_a", "livetm_b", "livetm"), 0.95),
    "rejected": ("Rejected by pulse height", lambda columns: _share(columns, "npha", "nevents"), 0.2),
}
"""Quantities: label, values, limit."""

_HIT_BY = {"time_difference": "exposure-time", "gap": "gap", "live_time": "live-time", "rejected": "pulse-heights"}


def _figure(columns: Columns, hits: dict[str, np.ndarray]) -> Figure:
    panels = []
    for quantity, (label, measure, limit) in _DRAWN.items():
        value = measure(columns)
        keep = np.isfinite(value)
        points = PointColumns(
            columns["mjd"][keep], value[keep], rootnames=columns["rootname"][keep],
            outliers=hits[_HIT_BY[quantity]][keep],
        )  # fmt: skip
        layers = scatter("exposures", points)
        if limit is not None:
            layers.append(Mark("limit", y=limit))
        panels.append(Panel("Date", label, layers, x_is_time=True))
    caption = "Each point is an exposure; crosses are those that the rule of the panel hit. Dotted: its limit."
    return Figure("history", "Exposures against their plan", caption, panels, columns=2, share_x=True)


def _compute(inputs: Inputs) -> Findings:
    columns = inputs["exposures"]
    if not len(columns["mjd"]):
        return Findings(None)
    hits = {rule.name: rule.hits(columns) for rule in _RULES}
    values = [
        values_of(quantity, columns, measure(columns), outlier=hits[_HIT_BY[quantity]])
        for quantity, (_, measure, _) in _DRAWN.items()
    ]
    return Findings(
        float(columns["mjd"].max()),
        values,
        [_figure(columns, hits)],
        [finding for rule in _RULES for finding in _findings(columns, rule, hits[rule.name])],
        statistics={found.quantity: summarise(found.mjd, found.value) for found in values},
    )


MONITOR = Monitor(
    name="exposure-quality",
    title="Quality of exposures",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=1,
    tables=frozenset({"quality"}),
    inputs={"exposures": _exposures()},
    quantities={
        "time_difference": Quantity("s", "Exposure time less the planned one; not of acquisitions"),
        "gap": Quantity("s", "Time from start to end less the exposure time; not of acquisitions"),
        "live_time": Quantity("", "Smallest live time over time of the detector's segments"),
        "rejected": Quantity("", "Largest fraction of a segment's events rejected by pulse height"),
    },
    compute=_compute,
    cadence=timedelta(days=7),
)
