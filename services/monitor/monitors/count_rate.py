"""Count rates of exposures against the limits of the detectors' health and safety."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from services.monitor.figures import Figure, Line, Mark, Panel
from services.monitor.figures.description import Layer, PointColumns, numbers, scatter
from services.monitor.monitors.framework.monitor import Columns, Finding, Findings, Inputs, Monitor, Quantity, Values
from services.monitor.monitors.framework.statistics import summarise
from services.monitor.monitors.parts.event_rates import LIMITS, expected_limit, rates_query
from shared.database.models.monitoring import Severity

__all__ = ["MONITOR"]

_SEGMENTS = ("FUVA", "FUVB", "NUV")
_RECENT_DAYS = 30.0

_LEVELS = ((1.0, Severity.CRITICAL), (0.8, Severity.ALERT), (0.5, Severity.WARN))
"""Fractions of a limit above which a rate is so grave (inference)."""

_MOST_RATIO = 1.2
"""Front-end over digital events: more are lost than the electronics should lose (inference)."""

_MOST_DARK = 100.0
"""Counts / s above those of the other darks that look like field emission, as of FUVA on 2012-04-30 (inference)."""

_LEAST_EVENTS = 100.0
"""Counts / s from which the ratio of the counters means something."""

_INFERRED, _HANDBOOK = "inference", "COS Instrument Handbook, chapter 10"

_EXPLANATION = """
A detector that counts too fast ages, and one that counts far too fast is switched off on board. Observers must keep
below screening limits: 15,000 counts per second of an FUV segment, 170,000 of an NUV image, 30,000 of each of the three
stripes of an NUV spectrum.

Shown is the global rate of each exposure and segment as CalCOS found it in the active area, and what fraction of its
limit that is. An exposure is an outlier above half its limit, or, of those with a closed shutter, if it counts 100 per
second more than the median of its kind. Limits of single pixels are not watched here: no table has images.
"""


def _compute(inputs: Inputs) -> Findings:
    columns = inputs["rates"]
    if not len(columns["mjd"]):
        return Findings(None)
    fraction = columns["rate"] / expected_limit(columns)
    excess = _dark_excess(columns)
    outlier = (fraction > _LEVELS[-1][0]) | (excess > _MOST_DARK)
    values = [
        _values(columns, "rate", columns["rate"], outlier),
        _values(columns, "fraction", fraction, outlier),
    ]
    return Findings(
        float(columns["mjd"].max()),
        values=values,
        figures=[_history(values[0]), _histogram(values[1])],
        findings=[*_too_fast(columns, fraction), *_field_emission(columns, excess), *_counters(columns)],
        statistics={
            segment: summarise(columns["mjd"][mine], columns["rate"][mine])
            for segment in _SEGMENTS
            if (mine := columns["segment"] == segment).any()
        },
    )


def _dark_excess(columns: Columns) -> np.ndarray:
    """Rates of darks above the median of their segment's, counts / s; zero for all others."""
    dark = (columns["exptype"] == "DARK") | (columns["shutter"] == "Closed") & (columns["exptype"] == "EXTERNAL/SCI")
    excess = np.zeros(len(dark))
    for segment in _SEGMENTS:
        mine = dark & (columns["segment"] == segment)
        if mine.any():
            excess[mine] = columns["rate"][mine] - np.median(columns["rate"][mine])
    return excess


def _values(columns: Columns, quantity: str, value: np.ndarray, outlier: np.ndarray) -> Values:
    count = len(value)
    return Values(
        quantity, columns["mjd"], value, np.full(count, np.nan), columns["rootname"], columns["segment"],
        np.full(count, None, dtype=object), columns["hvlevel"], columns["life_adj"], columns["file_id"], outlier,
    )  # fmt: skip


def _recent(columns: Columns, hit: np.ndarray) -> list[int]:
    places: list[int] = np.flatnonzero(hit & (columns["mjd"] > columns["mjd"].max() - _RECENT_DAYS)).tolist()
    return places


def _too_fast(columns: Columns, fraction: np.ndarray) -> Iterator[Finding]:
    for index in _recent(columns, fraction > _LEVELS[-1][0]):
        share, severity = next((share, grave) for share, grave in _LEVELS if fraction[index] > share)
        rate, segment = float(columns["rate"][index]), columns["segment"][index]
        yield Finding(
            "global-rate", severity, f"{segment} counted {rate:.0f} / s, {fraction[index]:.0%} of its limit",
            f"global rate above {share:.0%} of the screening limit", _HANDBOOK, rate,
            share * rate / float(fraction[index]), segment, columns["rootname"][index],
        )  # fmt: skip
    overflow = np.nan_to_num(columns["overflow"])
    for index in _recent(columns, overflow > 0):
        yield Finding(
            "overflow", Severity.ALERT, f"the buffer overflowed {overflow[index]:.0f} times", "OVERFLOW above 0",
            _INFERRED, float(overflow[index]), 0.0, columns["segment"][index], columns["rootname"][index],
        )  # fmt: skip


def _field_emission(columns: Columns, excess: np.ndarray) -> Iterator[Finding]:
    for index in _recent(columns, excess > _MOST_DARK):
        segment = columns["segment"][index]
        yield Finding(
            "field-emission", Severity.CRITICAL,
            f"{segment} counted {excess[index]:.0f} / s more than other darks, with its shutter closed",
            f"a dark counts more than {_MOST_DARK:.0f} / s above the median of the darks", _HANDBOOK,
            float(excess[index]), _MOST_DARK, segment, columns["rootname"][index],
        )  # fmt: skip


def _counters(columns: Columns) -> Iterator[Finding]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = columns["front_end"] / columns["digital"]
    for index in _recent(columns, (ratio > _MOST_RATIO) & (columns["digital"] > _LEAST_EVENTS)):
        yield Finding(
            "saturation", Severity.WARN, f"the front end counted {ratio[index]:.2f} times what was processed",
            f"FEVENT over DEVENT above {_MOST_RATIO}, from {_LEAST_EVENTS:.0f} counts / s on", _INFERRED,
            float(ratio[index]), _MOST_RATIO, columns["segment"][index], columns["rootname"][index],
        )  # fmt: skip


def _history(values: Values) -> Figure:
    panels = []
    for segment in _SEGMENTS:
        mine = (values.segment == segment) & (values.value > 0)
        if not mine.any():
            continue
        points = PointColumns(
            values.mjd[mine], values.value[mine], rootnames=values.rootname[mine], outliers=values.outlier[mine]
        )
        marks = [Mark(limit.text, y=limit.rate) for key, limit in LIMITS.items() if segment.startswith(key.split()[0])]
        layers: list[Layer] = [*scatter(segment, points), *marks]
        panels.append(Panel("Date", "Global rate (counts / s)", layers, segment, x_is_time=True, y_log=True))
    caption = "Global rate of each exposure, with the screening limits for predictable sources."
    return Figure("history", "Global count rates", caption, panels, share_x=True)


def _histogram(values: Values) -> Figure:
    layers: list[Layer] = []
    edges = np.linspace(-6.0, 1.0, 71)
    for segment in _SEGMENTS:
        known = values.value[(values.segment == segment) & (values.value > 0)]
        if len(known):
            counts, _ = np.histogram(np.log10(known), edges)
            layers.append(Line(segment, numbers(edges[:-1]), numbers(counts), steps=True))
    layers += [Mark(f"{share:.0%}", x=float(np.log10(share))) for share, _ in _LEVELS]
    panel = Panel("log10 of rate over limit", "Exposures", layers)
    return Figure("histogram", "Rates over their limits", "How many exposures are near their limit.", [panel])


MONITOR = Monitor(
    name="count-rate",
    title="Count rates and limits",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=1,
    tables=frozenset({"quality"}),
    inputs={"rates": rates_query()},
    quantities={
        "rate": Quantity("count / s", "Global count rate of an exposure and segment"),
        "fraction": Quantity("", "The same over its screening limit"),
    },
    compute=_compute,
    cadence=timedelta(days=7),
)
