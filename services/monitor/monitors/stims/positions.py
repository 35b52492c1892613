"""Stim pulses of each exposure.

Positions, what follows from them, and the rules that they are held to.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from services.monitor.framework.declaration import Columns, Values
from services.monitor.framework.rules import Finding, Rule, always
from services.monitor.framework.statistics import trailing_outliers
from services.monitor.library.exposure_values import finding_of, notes_of, recent, take, values_of
from shared.cos.detector import FUV_SEGMENTS, STIM_BOX, STIM_POSITIONS
from shared.database.models.monitoring import Severity

__all__ = [
    "COORDINATES",
    "RULES",
    "StimHistory",
    "histories_of",
    "reference",
    "search_range",
    "stim_findings",
    "stim_values",
]

COORDINATES = ("stim1_x", "stim1_y", "stim2_x", "stim2_y")

_ROWS = (1.0, 1022.0)
"""Rows that stims are looked for in, as CalCOS does."""

_USUAL_STEPS = 10.0
"""Steps that the usual scatter of a segment counts for beside those of an exposure."""

_USUAL_EXPOSURES = 100
"""Steady exposures up to and with each that show the usual scatter: what comes later changes no
earlier error.
"""

_LEGACY = "the original stim monitor"
_SCATTER = Rule(
    name="scatter",
    severity=Severity.WARN,
    text="standard deviation of a coordinate over an exposure above {:g} pix",
    thresholds=always(2.0, _LEGACY),
)
_EDGE = Rule(
    name="edge",
    severity=Severity.WARN,
    text="mean position within {:g} pix of the side of the box that the stim is looked for in",
    thresholds=always(3.0, "inference: events beyond the side are left out of the mean"),
)
_MISSING = Rule(
    name="missing",
    severity=Severity.WARN,
    text="a stim was not found in a step of the past {:.0f} days",
    thresholds=always(7.0, _LEGACY),
)
_KEYWORD = Rule(
    name="keyword",
    severity=Severity.ALERT,
    text="STIM keywords negative or absent although NEVENTS is above 0",
    source=_LEGACY,
)
_LIVE_TIME = Rule(
    name="live-time",
    severity=Severity.WARN,
    text="live time by the stims differs from LIVETM by more than {:.0%}, and 3 sigma",
    thresholds=always(0.1, "CalCOS: how far the two may differ in its dead-time correction"),
)
_OFF = Rule(
    name="outlier",
    severity=None,
    text="a coordinate off the median of the 90 days before it by {:g} sigma",
    thresholds=always(6.0, "inference"),
)
RULES = (_SCATTER, _EDGE, _MISSING, _KEYWORD, _LIVE_TIME, _OFF)

_OUTLIER_DAYS = 90.0
"""Span of the median that a coordinate is compared with: temperature moves it within a season."""

_SURE = 3.0
"""Errors by which a live time must differ beside."""

_LEAST_EXPECTED = 10.0
"""Counts to be expected of a stim before none is called missing: chance does that once in 20 000
steps.
"""

_USUAL_RATE = 2.0
"""STIMRATE of long exposures, Hz: where the header does not say."""

_STIMS = 2
"""STIMRATE is the rate of both stims together (CalCOS, ``getinfo.py``, halves it for one)."""

_LOW_VOLTAGE = 100.0
"""HVLOW: at this commanded level and below, the detector shows no stims."""


def reference(segment: str, coordinate: str) -> float:
    """Return where a coordinate of a stim should be, raw pixels."""
    return STIM_POSITIONS[segment][int(coordinate[4]) - 1]["xy".index(coordinate[-1])]


def search_range(segment: str, coordinate: str) -> tuple[float, float]:
    """Return the sides of the box that a stim is looked for in, raw pixels."""
    center, half = reference(segment, coordinate), STIM_BOX["xy".index(coordinate[-1])]
    low, high = center - half, center + half
    return (low, high) if coordinate.endswith("x") else (max(low, _ROWS[0]), min(high, _ROWS[1]))


@dataclass(frozen=True)
class StimHistory:
    """Exposures of a segment that shows stims; arrays of shape (n,).

    Attributes
    ----------
    columns
        Columns of the query, those of the segment without its letter, and ``note``, what points say
        of exposures.
    error
        Error of the mean of each coordinate, pix, of its scatter and the usual one.
    outlier
        Where one of its coordinates is far from those before it, or scatters too much.
    """

    name: str
    columns: Columns
    error: dict[str, np.ndarray]
    outlier: dict[str, np.ndarray]

    def derived(self, quantity: str, axis: str) -> np.ndarray:
        """Return the stretch, midpoint, slope or offset along an axis."""
        first, second = self.columns[f"stim1_{axis}"], self.columns[f"stim2_{axis}"]
        if quantity == "midpoint":
            return (first + second) / 2
        stretch = self.columns[f"stretch_{axis}"]
        if quantity == "stretch":
            return stretch
        upper, lower = reference(self.name, f"stim1_{axis}"), reference(self.name, f"stim2_{axis}")
        slope: np.ndarray = (lower - upper) / stretch
        offset: np.ndarray = upper - first * slope
        return slope if quantity == "slope" else offset

    @property
    def live_time(self) -> tuple[np.ndarray, np.ndarray]:
        """Live time over time, by the rate of the stims over the commanded one, and its Poisson
        error.
        """
        expected = self.columns["stimrate"] * self.columns["steps"] * self.columns["step"]
        counts = self.columns["counts"]
        return counts / expected, np.sqrt(np.maximum(counts, 1.0)) / expected


def histories_of(columns: Columns) -> Iterator[StimHistory]:
    """Yield the exposures of each segment that shows stims, in order of time.

    Parameters
    ----------
    columns
        Columns of the stim monitor's query.
    """
    for name in FUV_SEGMENTS:
        letter = name[-1].lower()
        mine = dict(take(columns, columns["segment"] == name))
        for general in ("hvlevel", "nevents", "livetm_", "temperature_"):
            mine[general.rstrip("_")] = mine[f"{general}{letter}"]
        mine["keyword"] = mine[f"stim{letter}_lx"]
        off = (mine["hvlevel"] <= _LOW_VOLTAGE) | (mine["nevents"] == 0)
        mine = dict(take(mine, ~off))
        if not len(mine["mjd"]):
            continue
        mine["note"] = notes_of(mine)  # once for all panels
        error, outlier = {}, {}
        for coordinate in COORDINATES:
            scattered, found = mine[f"{coordinate}_scatter"], mine[f"{coordinate[:5]}_steps"]
            error[coordinate] = _mean_error(scattered, found)
            far = trailing_outliers(
                mine["mjd"],
                mine[coordinate],
                error[coordinate],
                sigmas=_OFF.now,
                days=_OUTLIER_DAYS,
            )
            outlier[coordinate] = far | (scattered > _SCATTER.at(mine["mjd"]))
        yield StimHistory(name, mine, error, outlier)


def _mean_error(scatter: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the error of the mean of some steps, by their scatter and the usual one.

    A few steps may agree by chance.
    """
    usual = _usual_variance(scatter)
    freedom = np.maximum(steps - 1.0, 0.0)
    variance = (freedom * np.nan_to_num(scatter) ** 2 + _USUAL_STEPS * usual) / (
        freedom + _USUAL_STEPS
    )
    error: np.ndarray = np.sqrt(variance / np.where(steps > 0, steps, np.nan))
    return error


def _usual_variance(scatter: np.ndarray) -> np.ndarray:
    """Return the mean variance of the last steady exposures, those of the first one for what is
    before it.

    Shape (n,).
    """
    steady = scatter <= _SCATTER.now
    if not steady.any():
        return np.full(len(scatter), np.nan)
    before = np.full(_USUAL_EXPOSURES - 1, np.nan)
    windows = sliding_window_view(np.concatenate([before, scatter[steady] ** 2]), _USUAL_EXPOSURES)
    usual: np.ndarray = np.nanmean(windows, axis=1)[np.maximum(np.cumsum(steady) - 1, 0)]
    return usual


def stim_values(segment: StimHistory) -> Iterator[Values]:
    """Yield the positions, scatter, stretch, midpoint, thermal map, missing steps and rates of a
    segment.
    """
    columns = segment.columns
    for name in COORDINATES:
        outlier = segment.outlier[name]
        yield values_of(
            "position", columns, columns[name], segment.error[name], region=name, outlier=outlier
        )
        yield values_of(
            "scatter", columns, columns[f"{name}_scatter"], region=name, outlier=outlier
        )
    for axis in "xy":
        outlier = segment.outlier[f"stim1_{axis}"] | segment.outlier[f"stim2_{axis}"]
        both = np.minimum(columns["stim1_steps"], columns["stim2_steps"])
        with np.errstate(divide="ignore", invalid="ignore"):
            stretched = columns[f"stretch_{axis}_scatter"] / np.sqrt(both)
        shifted = np.hypot(segment.error[f"stim1_{axis}"], segment.error[f"stim2_{axis}"]) / 2
        slope = np.abs(segment.derived("slope", axis) / columns[f"stretch_{axis}"]) * stretched
        errors = {"stretch": stretched, "midpoint": shifted, "slope": slope, "offset": None}
        for quantity, error in errors.items():
            yield values_of(
                quantity,
                columns,
                segment.derived(quantity, axis),
                error,
                region=axis,
                outlier=outlier,
            )
    for stim in ("stim1", "stim2"):
        yield values_of(
            "missing", columns, 1.0 - columns[f"{stim}_steps"] / columns["steps"], region=stim
        )
    seconds = columns["steps"] * columns["step"]
    rate, error = (
        columns["counts"] / _STIMS / seconds,
        np.sqrt(np.maximum(columns["counts"], 1.0)) / _STIMS / seconds,
    )
    yield values_of("stim_rate", columns, rate, error)
    live, live_error = segment.live_time
    yield values_of("live_time", columns, live, live_error, outlier=_is_off(segment))


def _is_off(segment: StimHistory) -> np.ndarray:
    """Return whether the live time differs from that of the header, where both stims were found
    throughout.
    """
    columns = segment.columns
    whole = np.minimum(columns["stim1_steps"], columns["stim2_steps"]) == columns["steps"]
    live, error = segment.live_time
    away = np.abs(live - columns["livetm"])
    found: np.ndarray = (
        whole & (away > _LIVE_TIME.at(columns["mjd"]) * columns["livetm"]) & (away > _SURE * error)
    )
    return found


def _live_time_findings(segment: StimHistory, newest: np.ndarray) -> Iterator[Finding]:
    live, header = segment.live_time[0], segment.columns["livetm"]
    for index in np.flatnonzero(newest & _is_off(segment)):
        message = (
            f"the stims of {segment.name} have a live time of {live[index]:.3f}, its header "
            f"{header[index]:.3f}"
        )
        yield finding_of(
            _LIVE_TIME,
            segment.columns,
            index,
            message,
            live[index],
            threshold=float(header[index]),
            configuration=segment.name,
        )


def _scatter_findings(segment: StimHistory, newest: np.ndarray) -> Iterator[Finding]:
    for name in COORDINATES:
        scattered = segment.columns[f"{name}_scatter"]
        for index in np.flatnonzero(newest & (scattered > _SCATTER.at(segment.columns["mjd"]))):
            message = (
                f"{name} of {segment.name} scatters by {scattered[index]:.2f} pix within "
                "the exposure"
            )
            configuration = f"{segment.name} {name}"
            yield finding_of(
                _SCATTER,
                segment.columns,
                index,
                message,
                scattered[index],
                configuration=configuration,
            )


def _edge_findings(segment: StimHistory, newest: np.ndarray) -> Iterator[Finding]:
    for name in COORDINATES:
        low, high = search_range(segment.name, name)
        place = segment.columns[name]
        margin = _EDGE.at(segment.columns["mjd"])
        near = np.flatnonzero(newest & ((place < low + margin) | (place > high - margin)))
        if len(near):
            last = float(place[near[-1]])
            side = low if last < (low + high) / 2 else high
            yield _EDGE.finding(
                f"{name} of {segment.name} is {last:.1f}, at the side {side:g} of its box, in "
                f"{len(near)} exposures",
                float(segment.columns["mjd"][near[-1]]),
                last,
                threshold=side,
                configuration=f"{segment.name} {name}",
            )


def _missing_findings(segment: StimHistory) -> Iterator[Finding]:
    columns = segment.columns
    rate = np.where(np.isfinite(columns["stimrate"]), columns["stimrate"], _USUAL_RATE) / _STIMS
    within = recent(columns["mjd"], _MISSING.now)
    for stim in ("stim1", "stim2"):
        missing = columns["steps"] - columns[f"{stim}_steps"]
        whole = missing == columns["steps"]
        expected = rate * columns["step"] * np.where(whole, columns["steps"], 1.0)
        for index in np.flatnonzero(within & (missing > 0) & (expected >= _LEAST_EXPECTED)):
            message = (
                f"{stim} of {segment.name} is missing in {missing[index]:.0f} of "
                f"{columns['steps'][index]:.0f} steps, "
                f"between {columns['missing_from'][index]:.0f} s and "
                f"{columns['missing_to'][index]:.0f} s "
                f"after MJD {columns['mjd'][index]:.5f}"
            )
            configuration = f"{segment.name} {stim}"
            yield finding_of(
                _MISSING,
                columns,
                index,
                message,
                missing[index],
                threshold=0.0,
                configuration=configuration,
            )


def _keyword_findings(segment: StimHistory, newest: np.ndarray) -> Iterator[Finding]:
    columns = segment.columns
    lost = (
        newest
        & (columns["quality_rows"] > 0)
        & np.isnan(columns["keyword"])
        & (columns["nevents"] > 0)
    )
    for index in np.flatnonzero(lost):
        events = columns["nevents"][index]
        message = (
            f"the header of {segment.name} says that no stim was found among {events:.0f} events"
        )
        yield finding_of(_KEYWORD, columns, index, message, configuration=segment.name)


def stim_findings(segment: StimHistory) -> Iterator[Finding]:
    """Apply the rules: scatter, side of the box, missing stims, header keywords, live time."""
    newest = recent(segment.columns["mjd"])
    yield from _scatter_findings(segment, newest)
    yield from _edge_findings(segment, newest)
    yield from _missing_findings(segment)
    yield from _keyword_findings(segment, newest)
    yield from _live_time_findings(segment, newest)
