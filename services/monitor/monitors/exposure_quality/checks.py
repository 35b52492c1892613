"""Checks of what the header of an exposure says about its course."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.monitor.framework.declaration import Columns
from services.monitor.framework.rules import Rule, always
from shared.database.models.monitoring import Severity

__all__ = [
    "CHECKS",
    "Check",
    "Measure",
    "gap",
    "hits_of",
    "live_time",
    "rejected",
    "share",
    "time_difference",
]

Measure = Callable[[Columns], np.ndarray]
"""From the columns of exposures to a number, or a boolean, of each."""

_SOURCE = "inference from the meaning of the header keywords"

_BUFFER_EVENTS = 0.9 * 2.35e6
"""Events that the buffer is let take before it is read."""

_REJECTED_BACKGROUND = 12.0
"""Events / s of a segment: 27 % (of events beside the spectra of real exposures, pulse heights
below 2 and above 23) of the highest dark rate of the exposure-time calculator, 4.93e-6 / s / pixel,
over the nine million pixels of its active area."""

_LEAST_SHARE = 0.01
"""Of the planned time: a smaller difference is none."""


def share(columns: Columns, part: str, whole: str) -> np.ndarray:
    """Return the larger of both segments' fractions of a whole, by the names of their columns.

    NaN where neither is known.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [
            columns[f"{part}_{s}"] / columns[whole + (s if whole == "nevents" else "")]
            for s in "ab"
        ]
    known = [np.where(np.isfinite(share), share, -np.inf) for share in shares]
    largest = np.maximum(*known)
    return np.where(np.isfinite(largest), largest, np.nan)


def _least(columns: Columns, *names: str) -> np.ndarray:
    smallest = np.min(
        [np.where(np.isnan(columns[name]), np.inf, columns[name]) for name in names], axis=0
    )
    return np.where(np.isfinite(smallest), smallest, np.nan)


def _acquires(columns: Columns) -> np.ndarray:
    return np.array([str(kind or "").startswith("ACQ") for kind in columns["exptype"]], dtype=bool)


def time_difference(columns: Columns) -> np.ndarray:
    """Return the exposure time less the planned one, s; NaN for acquisitions."""
    return np.where(_acquires(columns), np.nan, columns["exptime"] - columns["plantime"])


def gap(columns: Columns) -> np.ndarray:
    """Return the time from start to end less the exposure time, s; NaN for acquisitions."""
    elapsed = (columns["expend"] - columns["mjd"]) * 86400.0
    return np.where(_acquires(columns), np.nan, elapsed - columns["exptime"])


def _unexplained(columns: Columns) -> np.ndarray:
    """Return the time from start to end less that of the raw intervals, s.

    NaN where these, or NINTERPT, show a gap.
    """
    elapsed = (columns["expend"] - columns["mjd"]) * 86400.0
    whole = (columns["raw_intervals"] <= 1) & ~(columns["ninterpt"] > 0) & ~_acquires(columns)
    return np.where(whole, elapsed - columns["raw_time"], np.nan)


def _more_gaps(columns: Columns) -> np.ndarray:
    """Return the gaps between the raw intervals beyond NINTERPT, or fewer.

    NaN where either is not known.
    """
    found: np.ndarray = np.abs(columns["raw_intervals"] - 1.0 - columns["ninterpt"])
    return found


def _without_good_time(columns: Columns) -> np.ndarray:
    found: np.ndarray = (columns["good_time"] <= 0.0) & (columns["exptime"] > 0)
    return found


def _is_other(values: np.ndarray, *usual: str) -> np.ndarray:
    return np.array(
        [value is not None and value.strip() not in usual for value in values], dtype=bool
    )


def _outside(columns: Columns) -> np.ndarray:
    return np.array(
        [str(kind or "").startswith("EXTERNAL") for kind in columns["exptype"]], dtype=bool
    )


def _closed(columns: Columns) -> np.ndarray:
    shut = np.array([str(one or "").upper() == "CLOSED" for one in columns["shutter"]], dtype=bool)
    found: np.ndarray = _outside(columns) & shut
    return found


def _buffered(columns: Columns) -> np.ndarray:
    """Return the events that come within BUFFTIME at the rate that was measured."""
    rates = [np.nan_to_num(columns[name]) for name in ("globrate", "globrt_a", "globrt_b")]
    events: np.ndarray = np.maximum(rates[0], rates[1] + rates[2]) * columns["bufftime"]
    return events


def _mute(columns: Columns) -> np.ndarray:
    """Return whether a segment that DETECTHV says is at its voltage has no events, acquisitions
    (which count none) apart.
    """
    counted = np.isfinite(columns["neventsa"]) | np.isfinite(columns["neventsb"])
    found = np.zeros(len(counted), dtype=bool)
    for letter in "AB":
        states = [str(state or "") for state in columns["detecthv"]]
        on = np.array(
            [state.startswith("Nom") and letter in state[3:] for state in states], dtype=bool
        )
        found |= on & ~(columns[f"nevents{letter.lower()}"] > 0)
    found &= (
        counted & (columns["exptime"] > 0) & (columns["detector"] == "FUV") & ~_acquires(columns)
    )
    return found


def _has_comment(columns: Columns) -> np.ndarray:
    names = ("quality", "qualcom1", "qualcom2", "qualcom3")
    found: np.ndarray = np.any([_is_other(columns[name], "", "OK") for name in names], axis=0)
    return found


def rejected(columns: Columns) -> np.ndarray:
    """Return the larger of both segments' fractions of events that are rejected for their pulse
    height, less the background's.

    Of a faint target, most events are background, of which a fourth is rejected whatever the gain
    is.
    """
    explained = _REJECTED_BACKGROUND * np.maximum(np.nan_to_num(columns["exptime"]), 0.0)
    explained += 3.0 * np.sqrt(explained)
    without = {name: np.clip(columns[name] - explained, 0.0, None) for name in ("npha_a", "npha_b")}
    return share({**columns, **without}, "npha", "nevents")


def _segments_apart(columns: Columns) -> np.ndarray:
    """Return the difference of the exposure times of both segments, s; NaN where one has none."""
    both = (columns["exptimea"] > 0) & (columns["exptimeb"] > 0)
    return np.where(both, np.abs(columns["exptimea"] - columns["exptimeb"]), np.nan)


def _time_differs(columns: Columns, limit: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.abs(time_difference(columns)) > np.maximum(
        limit, _LEAST_SHARE * columns["plantime"]
    )
    return found


def live_time(columns: Columns) -> np.ndarray:
    """Return the least live time over time of the segments; NaN where none is known."""
    return _least(columns, "livetm_a", "livetm_b", "livetm")


@dataclass(frozen=True)
class Check:
    """A rule, which exposures it hits at which threshold, and the number that it looks at, if
    any.
    """

    rule: Rule
    hits: Callable[[Columns, np.ndarray], np.ndarray]
    value: Callable[[Columns], np.ndarray] | None = None


def _says(name: str, text: str, hits: Measure, severity: Severity = Severity.WARN) -> Check:
    """Check of keywords that are words."""
    return Check(
        Rule(name=name, severity=severity, text=text, source=_SOURCE),
        lambda columns, _: hits(columns),
    )


def _exceeds(
    name: str, text: str, value: Measure, limit: float, severity: Severity = Severity.WARN
) -> Check:
    """Check that a number is no larger than its limit."""
    rule = Rule(name=name, severity=severity, text=text, thresholds=always(limit, _SOURCE))
    return Check(rule, lambda columns, threshold: value(columns) > threshold, value)


CHECKS = (
    Check(
        Rule(
            name="exposure-time",
            severity=Severity.WARN,
            text="EXPTIME differs from PLANTIME by more than {:g} s and 1 %",
            thresholds=always(1.0, _SOURCE),
        ),
        _time_differs,
        time_difference,
    ),
    _exceeds("gap", "EXPEND - EXPSTART exceeds EXPTIME by more than {:g} s", gap, 2.0),
    _exceeds(
        "unexplained-gap",
        "EXPEND - EXPSTART exceeds the good time of the raw file by more than {:g} s, and no "
        "interruption explains it",
        _unexplained,
        2.0,
    ),
    _exceeds(
        "good-time",
        "EXPTIME of a segment differs from the sum of its good time intervals by more than {:g} s",
        lambda columns: columns["time_error"],
        1.0,
    ),
    _says(
        "no-good-time",
        "a segment of an exposure with EXPTIME has no good time interval",
        _without_good_time,
        Severity.ALERT,
    ),
    _exceeds(
        "interruptions",
        "gaps between the good time intervals of the raw file differ from NINTERPT by more than "
        "{:g}",
        _more_gaps,
        0.0,
    ),
    _exceeds("interrupted", "NINTERPT above {:g}", lambda columns: columns["ninterpt"], 0.0),
    _says("flag", "EXPFLAG is not NORMAL", lambda columns: _is_other(columns["expflag"], "NORMAL")),
    _says("no-exposure", "EXPTIME is 0", lambda columns: columns["exptime"] == 0, Severity.ALERT),
    _says(
        "no-counts",
        "NEVENTS is 0",
        lambda columns: (columns["nevents"] == 0) & (columns["exptime"] > 0),
        Severity.ALERT,
    ),
    _says(
        "mute-segment",
        "NEVENTSA or NEVENTSB is 0 or -1 although DETECTHV has the segment at its voltage",
        _mute,
        Severity.ALERT,
    ),
    _exceeds(
        "buffer-overflow",
        "OVERFLOW above {:g}",
        lambda columns: columns["overflow"],
        0.0,
        Severity.ALERT,
    ),
    Check(
        Rule(
            name="buffer-time",
            severity=Severity.WARN,
            text="GLOBRATE fills nine tenths of the buffer ({:.3g} events) within BUFFTIME",
            thresholds=always(
                _BUFFER_EVENTS, "COS Instrument Handbook: 2.35e6 events, with a tenth in reserve"
            ),
        ),
        lambda columns, threshold: _buffered(columns) > threshold,
        _buffered,
    ),
    _says(
        "guiding",
        "FGSLOCK is not FINE in an EXTERNAL exposure",
        lambda columns: _outside(columns) & _is_other(columns["fgslock"], "FINE"),
    ),
    _says("shutter-closed", "SHUTTER is Closed in an EXTERNAL exposure", _closed, Severity.ALERT),
    _exceeds(
        "bursts",
        "bursts take more than {:.0%} of EXPTIME",
        lambda c: share(c, "tbrst", "exptime"),
        0.05,
    ),
    _exceeds(
        "bad-time",
        "bad time takes more than {:.0%} of EXPTIME",
        lambda c: share(c, "tbadt", "exptime"),
        0.05,
    ),
    _exceeds(
        "pulse-heights",
        "pulse-height limits reject more than {:.0%} of the events of a segment beyond those of "
        "the background",
        rejected,
        0.2,
    ),
    _exceeds("segments", "EXPTIMEA and EXPTIMEB differ by more than {:g} s", _segments_apart, 1.0),
    Check(
        Rule(
            name="live-time",
            severity=Severity.WARN,
            text="live time below {:g}",
            thresholds=always(0.95, _SOURCE),
        ),
        lambda columns, threshold: live_time(columns) < threshold,
        live_time,
    ),
    _says("comment", "QUALITY or a QUALCOM is not empty, N/A or OK", _has_comment),
)
"""One check for a keyword, or for keywords that must agree."""


def hits_of(columns: Columns) -> dict[str, np.ndarray]:
    """Return which exposures each rule hits, by its name; booleans of shape (n,)."""
    nothing = np.full(len(columns["mjd"]), np.nan)
    with np.errstate(invalid="ignore"):
        return {
            check.rule.name: check.hits(
                columns, check.rule.at(columns["mjd"]) if check.rule.thresholds else nothing
            )
            for check in CHECKS
        }
