"""Count rates of exposures against the limits of the detectors' health and safety."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from services.monitor.figures import Figure, Line, Mark, Panel
from services.monitor.figures.description import Layer, numbers, scatter
from services.monitor.monitors.framework.monitor import Columns, Findings, Inputs, Monitor, Quantity
from services.monitor.monitors.framework.rules import Finding, Rule, always
from services.monitor.monitors.framework.statistics import summarise
from services.monitor.monitors.parts.event_rates import IRREGULAR, LIMITS, SHUT_OFF, rates_query, threshold_of
from services.monitor.monitors.parts.exposures import finding_of, points_of, recent, take, values_of
from services.monitor.monitors.parts.lines import away_from_lines
from shared.database.models.monitoring import Severity

__all__ = ["MONITOR"]

_SEGMENTS = ("FUVA", "FUVB", "NUV")

_INFERRED = "inference"

_SHARES = tuple(
    Rule("global-rate", severity, "global rate above {:.0%} of the screening limit", always(share, _INFERRED))
    for share, severity in ((1.0, Severity.CRITICAL), (0.8, Severity.ALERT), (0.5, Severity.WARN))
)
"""Gravest first."""

_STRIPE = Rule(
    "stripe", Severity.ALERT,
    "all stripes of an NUV spectrum together above {:,.0f} / s, the limit of one of them, which may exceed it",
    always(30_000.0, "COS Instrument Handbook, table 10.1"),
)  # fmt: skip
_SHUT = Rule(
    "shut-off", Severity.CRITICAL, "any counter above the rate at which the instrument switches the high voltage down",
    source="COS Instrument Handbook, table 10.1",
)  # fmt: skip
_IRREGULAR = Rule(
    "irregular", Severity.INFO, "global rate above the limit for irregular sources, with the shutter open",
    source="COS Instrument Handbook, table 10.1",
)  # fmt: skip
_SATURATED = Rule(
    "saturation", Severity.WARN,
    "FEVENT over DEVENT above {}, from 100 counts / s on: more events are lost than the electronics should lose",
    always(1.2, _INFERRED),
)  # fmt: skip
_EMITTING = Rule(
    "field-emission", Severity.CRITICAL,
    "a dark counts more than {:.0f} / s, and half as much again, above the line through those about it",
    always(100.0, "inference from FUVA on 2012-04-30 (COS Instrument Handbook)"),
)  # fmt: skip

_LEAST_EVENTS = 100.0
"""Counts / s from which the ratio of the counters means something."""

_LEAST_EXCESS = 0.5
"""Of the rate that is usual: that of the NUV is a thousand counts / s, and changes with the temperature by the day."""

_DARKS = 25
"""Darks that the usual rate is a line through: over years it follows the Sun, and that of the NUV grows."""

_BRIGHTEST = 20

_EXPLANATION = """
A detector that counts too fast ages, and one that counts far too fast is switched off on board. Observers must keep
below screening limits: 15,000 counts per second of an FUV segment, 170,000 of an NUV image, 30,000 of each of the three
stripes of an NUV spectrum, 30,000 of anything in TIME-TAG mode. Sources that vary have lower ones.

Shown is the global rate of each exposure and segment as CalCOS found it in the active area, and what fraction of its
limit that is: the lowest of those that concern it. An exposure is an outlier above half its limit, or, of those with a
closed shutter, if it counts 100 per second, and half as much again, more than the line of median slope through the 25
of its kind about it.

Not watched here are limits of single pixels, single seconds and single stripes: no table has those. Of an NUV spectrum
the sum of the three stripes is held against three times the limit of one; above the limit of one, one may exceed it.
"""


def _compute(inputs: Inputs) -> Findings:
    columns = inputs["rates"]
    if not len(columns["mjd"]):
        return Findings(None)
    fraction = columns["rate"] / threshold_of(LIMITS, columns)
    excess = _dark_excess(columns)
    emitting = excess > _EMITTING.at(columns["mjd"])
    outlier = (fraction > _SHARES[-1].at(columns["mjd"])) | emitting
    return Findings(
        float(columns["mjd"].max()),
        values=[
            values_of("rate", columns, columns["rate"], outlier=outlier),
            values_of("fraction", columns, fraction, outlier=outlier),
        ],
        figures=[_history(columns, outlier), _histogram(columns, fraction), _brightest(columns, fraction)],
        findings=[
            *_too_fast(columns, fraction),
            *_irregular(columns),
            *_shut_off(columns),
            *_field_emission(columns, excess, emitting),
            *_counters(columns),
        ],
        statistics={
            segment: summarise(columns["mjd"][mine], columns["rate"][mine])
            for segment in _SEGMENTS
            if (mine := columns["segment"] == segment).any()
        },
    )


def _is_dark(columns: Columns) -> np.ndarray:
    shut = (columns["shutter"] == "Closed") & (columns["exptype"] == "EXTERNAL/SCI")
    dark: np.ndarray = (columns["exptype"] == "DARK") | shut
    return dark


def _dark_excess(columns: Columns) -> np.ndarray:
    """Rates of darks above what is usual, counts / s, where that is much for their kind; zero for all others."""
    dark = _is_dark(columns)
    excess = np.zeros(len(dark))
    for segment in _SEGMENTS:
        mine = np.flatnonzero(dark & (columns["segment"] == segment))
        rate = columns["rate"][mine]
        if len(mine) > 1:
            away = away_from_lines(columns["mjd"][mine], rate, min(_DARKS, len(mine)))
            excess[mine] = np.where(away > _LEAST_EXCESS * (rate - away), away, 0.0)
    return excess


def _too_fast(columns: Columns, fraction: np.ndarray) -> Iterator[Finding]:
    shares = np.array([rule.at(columns["mjd"]) for rule in _SHARES])
    stripe = (columns["segment"] == "NUV") & (columns["obstype"] != "IMAGING")
    stripe &= (columns["rate"] > _STRIPE.at(columns["mjd"])) & (fraction <= shares[1])
    new = recent(columns["mjd"])
    for index in np.flatnonzero(new & (fraction > shares[-1]) & ~stripe):
        grave = int(np.argmax(fraction[index] > shares[:, index]))
        rate, segment = columns["rate"][index], columns["segment"][index]
        limit = rate / fraction[index]
        message = f"{segment} counted {rate:,.0f} / s, {fraction[index]:.0%} of its limit of {limit:,.0f}"
        yield finding_of(_SHARES[grave], columns, index, message, rate, threshold=float(limit * shares[grave, index]))
    for index in np.flatnonzero(new & stripe):
        rate = columns["rate"][index]
        yield finding_of(_STRIPE, columns, index, f"the NUV stripes together counted {rate:,.0f} / s", rate)


def _irregular(columns: Columns) -> Iterator[Finding]:
    limit = threshold_of(IRREGULAR, columns)
    for index in np.flatnonzero(recent(columns["mjd"]) & (columns["rate"] > limit) & ~_is_dark(columns)):
        rate, segment = columns["rate"][index], columns["segment"][index]
        message = f"{segment} counted {rate:,.0f} / s, which is only for sources that are predictable"
        yield finding_of(_IRREGULAR, columns, index, message, rate, threshold=float(limit[index]))


def _shut_off(columns: Columns) -> Iterator[Finding]:
    limit = threshold_of(SHUT_OFF, columns)
    highest = np.fmax(columns["rate"], np.fmax(columns["digital"], columns["front_end"]))
    for index in np.flatnonzero(recent(columns["mjd"]) & (highest > limit)):
        message = (
            f"{columns['segment'][index]} counted {highest[index]:,.0f} / s; it is shut off at {limit[index]:,.0f}"
        )
        yield finding_of(_SHUT, columns, index, message, highest[index], threshold=float(limit[index]))


def _field_emission(columns: Columns, excess: np.ndarray, emitting: np.ndarray) -> Iterator[Finding]:
    for index in np.flatnonzero(recent(columns["mjd"]) & emitting):
        message = f"{columns['segment'][index]} counted {excess[index]:.0f} / s more than the darks about it"
        yield finding_of(_EMITTING, columns, index, message, excess[index])


def _counters(columns: Columns) -> Iterator[Finding]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = columns["front_end"] / columns["digital"]
    saturated = (ratio > _SATURATED.at(columns["mjd"])) & (columns["digital"] > _LEAST_EVENTS)
    for index in np.flatnonzero(recent(columns["mjd"]) & saturated):
        message = f"the front end counted {ratio[index]:.2f} times what was processed"
        yield finding_of(_SATURATED, columns, index, message, ratio[index])


def _history(columns: Columns, outlier: np.ndarray) -> Figure:
    panels = []
    for segment in _SEGMENTS:
        seen = (columns["segment"] == segment) & (columns["rate"] > 0)
        if not seen.any():
            continue
        mine = take(columns, seen)
        layers: list[Layer] = [*scatter(segment, points_of(mine, mine["mjd"], mine["rate"], outlier=outlier[seen]))]
        kinds = ("NUV", "TIME") if segment == "NUV" else ("FUV",)
        layers += [
            Mark(rule.name, y=rule.now)
            for limits in (LIMITS, SHUT_OFF)
            for kind, rule in limits.items()
            if kind.split("_")[0] in kinds
        ]
        panels.append(Panel("Date", "Global rate (counts / s)", layers, segment, x_is_time=True, y_log=True))
    caption = (
        "Global rate of each exposure; crosses are outliers. Dotted: the limits for predictable sources, and the rate "
        "at which the instrument switches the detector off."
    )
    return Figure("history", "Global count rates", caption, panels, share_x=True)


def _brightest(columns: Columns, fraction: np.ndarray) -> Figure:
    order = np.argsort(-np.nan_to_num(fraction))[:_BRIGHTEST]
    ranks, mine = np.arange(1.0, len(order) + 1), take(columns, order)
    layers: list[Layer] = []
    for segment in _SEGMENTS:
        same = mine["segment"] == segment
        points = points_of(take(mine, same), ranks[same], fraction[order][same])
        layers += scatter(segment, points)
    layers += [Mark(f"{rule.now:.0%}", y=rule.now) for rule in _SHARES]
    panel = Panel("Rank", "Rate over its limit", layers)
    caption = "The twenty exposures that came closest to their limit, or exceeded it most, of the whole mission."
    return Figure("brightest", "The highest rates", caption, [panel])


def _histogram(columns: Columns, fraction: np.ndarray) -> Figure:
    layers: list[Layer] = []
    edges = np.linspace(-6.0, 1.0, 71)
    for segment in _SEGMENTS:
        known = fraction[(columns["segment"] == segment) & (fraction > 0)]
        if len(known):
            counts, _ = np.histogram(np.log10(known), edges)
            layers.append(Line(segment, numbers(edges[:-1]), numbers(counts), steps=True))
    layers += [Mark(f"{rule.now:.0%}", x=float(np.log10(rule.now))) for rule in _SHARES]
    panel = Panel("log10 of rate over limit", "Exposures", layers)
    return Figure("histogram", "Rates over their limits", "How many exposures are near their limit.", [panel])


MONITOR = Monitor(
    name="count-rate",
    title="Count rates and limits",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=2,
    tables=frozenset({"quality"}),
    inputs={"rates": rates_query()},
    quantities={
        "rate": Quantity("count / s", "Global count rate of an exposure and segment"),
        "fraction": Quantity("", "The same over the lowest screening limit that concerns it"),
    },
    compute=_compute,
    cadence=timedelta(days=7),
    rules=(
        *_SHARES, _STRIPE, _IRREGULAR, _SHUT, _EMITTING, _SATURATED,
        *LIMITS.values(), *IRREGULAR.values(), *SHUT_OFF.values(),
    ),
)  # fmt: skip
