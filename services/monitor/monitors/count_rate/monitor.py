"""Count rates of exposures against the limits of the detectors' health and safety."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from services.monitor.framework.declaration import Columns, Inputs, Monitor, Quantity, RunOutput
from services.monitor.framework.rules import Finding, Rule
from services.monitor.framework.statistics import summarise
from services.monitor.library.exposure_values import finding_of, recent, values_of
from services.monitor.library.running_lines import away_from_lines
from services.monitor.monitors.count_rate.event_rates import (
    IRREGULAR,
    IRREGULAR_STRIPE,
    LIMITS,
    LOCAL_LIMITS,
    SEGMENTS,
    SHUT_OFF,
    STRIPE_LIMIT,
    rates_query,
    surely_local,
    threshold_of,
)
from services.monitor.monitors.count_rate.figures import (
    highest_rates,
    histogram_of_rates,
    history_of_rates,
    local_rates,
    peaks_by_second,
)
from services.monitor.monitors.count_rate.rules import (
    EMITTING,
    GLOBAL,
    IRREGULAR_SOURCE,
    LOCAL,
    RULES,
    SATURATED,
    SECOND,
    SHUT,
    STRIPE,
    STRIPES,
)

__all__ = ["MONITOR"]

_LEAST_EVENTS = 100.0
"""Counts / s from which the ratio of the counters means something."""

_LEAST_EXCESS = 0.5
"""Of the rate that is usual: that of the NUV is a thousand counts / s, and changes with the
temperature by the day.
"""

_DARKS = 25
"""Darks that the usual rate is a line through: over years it follows the Sun, and that of the NUV
grows.
"""

_LEAST_COUNTS = 25.0
"""Of a place that is shown: with fewer, nothing is sure by 5 sigma."""

_EXPLANATION = """
A detector that counts too fast ages, and one that counts far too fast is switched off on board.
Observers must keep below screening limits: 15,000 counts per second of an FUV segment, 170,000 of
an NUV image, 30,000 of each of the three stripes of an NUV spectrum, 30,000 of anything in TIME-TAG
mode; of a pixel 0.67 (FUV; 0.2 at 1055 and 1096 Angstrom), 50 (NUV images) and 70 (NUV spectra).
Sources that vary have lower ones.

Shown is the global rate of each exposure and segment as CalCOS found it in the active area, and
what fraction of its limit that is: the lowest of those that concern it. An exposure is an outlier
above half its limit, or, of those with a closed shutter, if it counts 100 per second, and half as
much again, more than the line of median slope through the 25 of its kind about it.

Of the events in the active area come the brightest second of TIME-TAG exposures, compared with the
same limits, and the brightest place in good time: 2 by 2 pixels of the FUV, less than the width of
a line, and a pixel of the NUV. Seconds in which a lamp flashed are left out of both, and a place
counts as much as its counts are sure of by 5 sigma: the brightest of a million places is some sigma
above the truth, and in a short exposure a single photon is a rate above any limit. Exposures to
lamps are not compared with local limits, which FUV lamp lines come near to; places with fewer than
25 counts are not shown. The rates of stripes are those in the extraction boxes of the x1d file; of
spectra that were not extracted the sum of the three stripes is compared with three times the limit
of one, and is an alert above the limit of one. Target acquisitions have no events: only their
global rate is compared.
"""


def _compute(inputs: Inputs) -> RunOutput:
    columns = inputs["rates"]
    if not len(columns["mjd"]):
        return RunOutput(newest_mjd=None)
    rates = _held(columns)
    excess = _dark_excess(columns)
    emitting = excess > EMITTING.at(columns["mjd"])
    outlier = rates[0].outlier | emitting
    return RunOutput(
        newest_mjd=float(columns["mjd"].max()),
        values=[
            values_of("rate", columns, columns["rate"], outlier=outlier),
            values_of("fraction", columns, rates[0].fraction, outlier=outlier),
            *(
                values_of(held.quantity, columns, held.shown, outlier=held.outlier)
                for held in rates[1:]
            ),
        ],
        figures=[
            history_of_rates(columns, outlier),
            peaks_by_second(columns, {held.quantity: held.outlier for held in rates}),
            local_rates(columns, rates[2].shown, rates[2].outlier),
            histogram_of_rates(rates[0].fraction, columns, GLOBAL),
            highest_rates(columns, np.fmax.reduce([held.fraction for held in rates]), GLOBAL),
        ],
        findings=[
            *_near_limits(columns, rates),
            *_unextracted(columns, rates),
            *_irregular(columns),
            *_shut_off(columns),
            *_field_emission(columns, excess, emitting),
            *_counters(columns),
        ],
        statistics={
            segment: summarise(columns["mjd"][mine], columns["rate"][mine])
            for segment in SEGMENTS
            if (mine := columns["segment"] == segment).any()
        },
    )


@dataclass(frozen=True)
class _LimitedRate:
    """A rate that is compared with its limit; arrays of shape (n,).

    Attributes
    ----------
    quantity
        Its name among the values.
    words
        What counted, in words, and the format of its rate.
    rules
        Its rules, most severe first.
    shown, fraction
        Rate, and what of it is sure as a fraction of its limit; NaN where there is none.
    level
        How many of the rules it hits at the times of the exposures.
    """

    quantity: str
    words: str
    rules: Sequence[Rule]
    shown: np.ndarray
    fraction: np.ndarray
    level: np.ndarray

    @property
    def outlier(self) -> np.ndarray:
        """Whether any rule hits it."""
        found: np.ndarray = self.level > 0
        return found


def _held(columns: Columns) -> list[_LimitedRate]:
    limits = threshold_of(LIMITS, columns)
    places = np.where(columns["local_counts"] >= _LEAST_COUNTS, columns["local"], np.nan)
    local = surely_local(columns) / threshold_of(LOCAL_LIMITS, columns)
    stripes = np.where(columns["obstype"] == "IMAGING", np.nan, columns["stripe"])
    return [
        _rate(
            "rate",
            "{} counted {:,.0f} / s",
            GLOBAL,
            columns["rate"],
            columns["rate"] / limits,
            columns,
        ),
        _rate(
            "second",
            "{} counted {:,.0f} in a second",
            SECOND,
            columns["second"],
            columns["second"] / limits,
            columns,
        ),
        _rate("local", "a place of {} counted {:.3g} / s / pix", LOCAL, places, local, columns),
        _rate(
            "stripe",
            "a stripe of {} counted {:,.0f} / s",
            STRIPE,
            stripes,
            stripes / STRIPE_LIMIT.at(columns["mjd"]),
            columns,
        ),
    ]


def _rate(
    quantity: str,
    words: str,
    rules: Sequence[Rule],
    shown: np.ndarray,
    fraction: np.ndarray,
    columns: Columns,
) -> _LimitedRate:
    level = np.sum([fraction > rule.at(columns["mjd"]) for rule in rules], axis=0)
    return _LimitedRate(quantity, words, rules, shown, fraction, level)


def _is_dark(columns: Columns) -> np.ndarray:
    shut = (columns["shutter"] == "Closed") & (columns["exptype"] == "EXTERNAL/SCI")
    dark: np.ndarray = (columns["exptype"] == "DARK") | shut
    return dark


def _dark_excess(columns: Columns) -> np.ndarray:
    """Return the rates of darks above what is usual, counts / s, where that is much for their kind.

    Zero for all others.
    """
    dark = _is_dark(columns)
    excess = np.zeros(len(dark))
    for segment in SEGMENTS:
        mine = np.flatnonzero(dark & (columns["segment"] == segment))
        rate = columns["rate"][mine]
        if len(mine) > 1:
            away = away_from_lines(columns["mjd"][mine], rate, min(_DARKS, len(mine)))
            excess[mine] = np.where(away > _LEAST_EXCESS * (rate - away), away, 0.0)
    return excess


def _near_limits(columns: Columns, rates: Sequence[_LimitedRate]) -> Iterator[Finding]:
    new = recent(columns["mjd"])
    for held in rates:
        hit = new & held.outlier
        if (
            held.rules is SECOND
        ):  # which is never below the mean, so that this says nothing new where that is so grave
            hit &= held.level > rates[0].level
        for index in np.flatnonzero(hit):
            rule = held.rules[len(held.rules) - held.level[index]]
            rate, fraction = held.shown[index], held.fraction[index]
            message = (
                f"{held.words.format(columns['segment'][index], rate)}, {fraction:.0%} of its limit"
            )
            threshold = float(rate / fraction * rule.at(columns["mjd"])[index])
            yield finding_of(rule, columns, index, message, rate, threshold=threshold)


def _unextracted(columns: Columns, rates: Sequence[_LimitedRate]) -> Iterator[Finding]:
    spectrum = (
        (columns["segment"] == "NUV")
        & (columns["obstype"] != "IMAGING")
        & np.isnan(columns["stripe"])
    )
    hit = spectrum & (columns["rate"] > STRIPES.at(columns["mjd"])) & ~rates[0].outlier
    for index in np.flatnonzero(recent(columns["mjd"]) & hit):
        rate = columns["rate"][index]
        yield finding_of(
            STRIPES, columns, index, f"the NUV stripes together counted {rate:,.0f} / s", rate
        )


def _irregular(columns: Columns) -> Iterator[Finding]:
    limits = {
        "rate": threshold_of(IRREGULAR, columns),
        "stripe": IRREGULAR_STRIPE.at(columns["mjd"]),
    }
    hits = {name: (columns[name] > limit) & ~_is_dark(columns) for name, limit in limits.items()}
    for index in np.flatnonzero(recent(columns["mjd"]) & np.any(list(hits.values()), axis=0)):
        name = "rate" if hits["rate"][index] else "stripe"
        rate, segment = columns[name][index], columns["segment"][index]
        counted = segment if name == "rate" else f"a stripe of {segment}"
        message = (
            f"{counted} counted {rate:,.0f} / s, which is only for sources that are predictable"
        )
        yield finding_of(
            IRREGULAR_SOURCE, columns, index, message, rate, threshold=float(limits[name][index])
        )


def _shut_off(columns: Columns) -> Iterator[Finding]:
    limit = threshold_of(SHUT_OFF, columns)
    highest = np.fmax(columns["rate"], np.fmax(columns["digital"], columns["front_end"]))
    for index in np.flatnonzero(recent(columns["mjd"]) & (highest > limit)):
        message = (
            f"{columns['segment'][index]} counted {highest[index]:,.0f} / s; it is shut off "
            f"at {limit[index]:,.0f}"
        )
        yield finding_of(
            SHUT, columns, index, message, highest[index], threshold=float(limit[index])
        )


def _field_emission(
    columns: Columns, excess: np.ndarray, emitting: np.ndarray
) -> Iterator[Finding]:
    for index in np.flatnonzero(recent(columns["mjd"]) & emitting):
        message = (
            f"{columns['segment'][index]} counted {excess[index]:.0f} / s more than the "
            "darks about it"
        )
        yield finding_of(EMITTING, columns, index, message, excess[index])


def _counters(columns: Columns) -> Iterator[Finding]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = columns["front_end"] / columns["digital"]
    saturated = (ratio > SATURATED.at(columns["mjd"])) & (columns["digital"] > _LEAST_EVENTS)
    for index in np.flatnonzero(recent(columns["mjd"]) & saturated):
        message = f"the front end counted {ratio[index]:.2f} times what was processed"
        yield finding_of(SATURATED, columns, index, message, ratio[index])


MONITOR = Monitor(
    name="count-rate",
    title="Count rates and limits",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=4,
    tables=frozenset({"quality", "event_rates", "data"}),
    inputs={"rates": rates_query()},
    quantities={
        "rate": Quantity(
            unit="count / s", description="Global count rate of an exposure and segment"
        ),
        "fraction": Quantity(
            unit="", description="The same over the lowest screening limit that concerns it"
        ),
        "second": Quantity(
            unit="count / s",
            description="Counts of the brightest second without a lamp flash; TIME-TAG only",
        ),
        "local": Quantity(
            unit="count / (s pix)",
            description="Count rate of the brightest place, where it has 25 counts",
        ),
        "stripe": Quantity(
            unit="count / s", description="Count rate of the brightest stripe of an NUV spectrum"
        ),
    },
    compute=_compute,
    cadence=timedelta(days=7),
    rules=(
        *RULES,
        *LIMITS.values(),
        *LOCAL_LIMITS.values(),
        STRIPE_LIMIT,
        *IRREGULAR.values(),
        IRREGULAR_STRIPE,
        *SHUT_OFF.values(),
    ),
)
