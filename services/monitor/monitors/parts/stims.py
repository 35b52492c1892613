"""Stim pulses of each exposure: positions, what follows from them, and the rules that they are held to."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.monitor.monitors.framework.monitor import Columns, Finding, Values
from services.monitor.monitors.parts.exposures import outliers_to_both_sides, recent, take, values_of
from shared.cos.detector import FUV_SEGMENTS, STIM_BOX, STIM_POSITIONS
from shared.database.models.monitoring import Severity

__all__ = ["COORDINATES", "StimHistory", "histories_of", "reference", "search_range", "stim_findings", "stim_values"]

COORDINATES = ("stim1_x", "stim1_y", "stim2_x", "stim2_y")

_ROWS = (1.0, 1022.0)
"""Rows that stims are looked for in, as CalCOS does."""

_USUAL_STEPS = 10.0
"""Steps that the usual scatter of a segment counts for beside those of an exposure."""

_MOST_SCATTER = 2.0
"""Standard deviation of a coordinate over an exposure, pix (the legacy stim monitor's)."""

_EDGE = 3.0
"""A stim that is this close to the side of its box may be cut off by it, pix."""

_OUTLIER_SIGMAS, _OUTLIER_DAYS = 6.0, 90.0

_MISSING_DAYS = 7.0
"""Days in which a missing stim alarms (the legacy stim monitor's)."""

_LEAST_EXPECTED = 10.0
"""Counts to be expected of a stim before none is called missing: chance does that once in 20 000 steps."""

_USUAL_RATE = 2.0
"""STIMRATE of long exposures, Hz: where the header does not say."""

_STIMS = 2
"""STIMRATE is the rate of both stims together (CalCOS, ``getinfo.py``, halves it for one)."""

_LOW_VOLTAGE = 100.0
"""HVLOW: at this commanded level and below, the detector shows no stims."""


def reference(segment: str, coordinate: str) -> float:
    """Where a coordinate of a stim should be, raw pixels."""
    return STIM_POSITIONS[segment][int(coordinate[4]) - 1]["xy".index(coordinate[-1])]


def search_range(segment: str, coordinate: str) -> tuple[float, float]:
    """Sides of the box that a stim is looked for in, raw pixels."""
    center, half = reference(segment, coordinate), STIM_BOX["xy".index(coordinate[-1])]
    low, high = center - half, center + half
    return (low, high) if coordinate.endswith("x") else (max(low, _ROWS[0]), min(high, _ROWS[1]))


@dataclass(frozen=True)
class StimHistory:
    """Exposures of a segment that shows stims; arrays of shape (n,).

    Attributes
    ----------
    columns
        Columns of the query, those of the segment without its letter.
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
        """Stretch, midpoint, slope or offset along an axis."""
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


def histories_of(columns: Columns) -> Iterator[StimHistory]:
    """Exposures of each segment that shows stims, in order of time.

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
        error, outlier = {}, {}
        for coordinate in COORDINATES:
            scattered, found = mine[f"{coordinate}_scatter"], mine[f"{coordinate[:5]}_steps"]
            error[coordinate] = _mean_error(scattered, found)
            far = outliers_to_both_sides(
                mine["mjd"], mine[coordinate], error[coordinate], sigmas=_OUTLIER_SIGMAS, days=_OUTLIER_DAYS
            )
            outlier[coordinate] = far | (scattered > _MOST_SCATTER)
        yield StimHistory(name, mine, error, outlier)


def _mean_error(scatter: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Error of the mean of some steps, by their scatter and the usual one: a few steps may agree by chance."""
    steady = scatter[scatter <= _MOST_SCATTER]
    usual = np.mean(steady**2) if len(steady) else np.nan
    freedom = np.maximum(steps - 1.0, 0.0)
    variance = (freedom * np.nan_to_num(scatter) ** 2 + _USUAL_STEPS * usual) / (freedom + _USUAL_STEPS)
    error: np.ndarray = np.sqrt(variance / np.where(steps > 0, steps, np.nan))
    return error


def stim_values(segment: StimHistory) -> Iterator[Values]:
    """Positions, scatter, stretch, midpoint, thermal map, missing steps and rates of a segment."""
    columns = segment.columns
    for name in COORDINATES:
        outlier = segment.outlier[name]
        yield values_of("position", columns, columns[name], segment.error[name], region=name, outlier=outlier)
        yield values_of("scatter", columns, columns[f"{name}_scatter"], region=name, outlier=outlier)
    for axis in "xy":
        outlier = segment.outlier[f"stim1_{axis}"] | segment.outlier[f"stim2_{axis}"]
        both = np.minimum(columns["stim1_steps"], columns["stim2_steps"])
        with np.errstate(divide="ignore", invalid="ignore"):
            stretched = columns[f"stretch_{axis}_scatter"] / np.sqrt(both)
        shifted = np.hypot(segment.error[f"stim1_{axis}"], segment.error[f"stim2_{axis}"]) / 2
        slope = np.abs(segment.derived("slope", axis) / columns[f"stretch_{axis}"]) * stretched
        errors = {"stretch": stretched, "midpoint": shifted, "slope": slope, "offset": None}
        for quantity, error in errors.items():
            yield values_of(quantity, columns, segment.derived(quantity, axis), error, region=axis, outlier=outlier)
    for stim in ("stim1", "stim2"):
        yield values_of("missing", columns, 1.0 - columns[f"{stim}_steps"] / columns["steps"], region=stim)
    seconds = columns["steps"] * columns["step"]
    rate, error = columns["counts"] / _STIMS / seconds, np.sqrt(np.maximum(columns["counts"], 1.0)) / _STIMS / seconds
    yield values_of("stim_rate", columns, rate, error)
    commanded = columns["stimrate"] / _STIMS
    yield values_of("live_time", columns, rate / commanded, error / commanded)


def _scatter_findings(segment: StimHistory, newest: np.ndarray) -> Iterator[Finding]:
    for name in COORDINATES:
        scattered = segment.columns[f"{name}_scatter"]
        for index in np.flatnonzero(newest & (scattered > _MOST_SCATTER)):
            yield Finding(
                "scatter",
                Severity.WARN,
                f"{name} of {segment.name} scatters by {scattered[index]:.2f} pix within the exposure",
                f"standard deviation of a coordinate over an exposure above {_MOST_SCATTER:g} pix",
                "legacy stim monitor",
                float(scattered[index]),
                _MOST_SCATTER,
                f"{segment.name} {name}",
                segment.columns["rootname"][index],
            )


def _edge_findings(segment: StimHistory, newest: np.ndarray) -> Iterator[Finding]:
    for name in COORDINATES:
        low, high = search_range(segment.name, name)
        place = segment.columns[name]
        near = np.flatnonzero(newest & ((place < low + _EDGE) | (place > high - _EDGE)))
        if len(near):
            last = float(place[near[-1]])
            side = low if last < (low + high) / 2 else high
            yield Finding(
                "edge",
                Severity.WARN,
                f"{name} of {segment.name} is {last:.1f}, at the side {side:g} of its box, in {len(near)} exposures",
                f"mean position within {_EDGE:g} pix of the side of the box that the stim is looked for in",
                "inference: events beyond the side are left out of the mean",
                last,
                side,
                f"{segment.name} {name}",
            )


def _missing_findings(segment: StimHistory) -> Iterator[Finding]:
    columns = segment.columns
    rate = np.where(np.isfinite(columns["stimrate"]), columns["stimrate"], _USUAL_RATE) / _STIMS
    within = recent(columns["mjd"], _MISSING_DAYS)
    for stim in ("stim1", "stim2"):
        missing = columns["steps"] - columns[f"{stim}_steps"]
        whole = missing == columns["steps"]
        expected = rate * columns["step"] * np.where(whole, columns["steps"], 1.0)
        for index in np.flatnonzero(within & (missing > 0) & (expected >= _LEAST_EXPECTED)):
            yield Finding(
                "missing",
                Severity.WARN,
                f"{stim} of {segment.name} is missing in {missing[index]:.0f} of {columns['steps'][index]:.0f} steps, "
                f"between {columns['missing_from'][index]:.0f} s and {columns['missing_to'][index]:.0f} s "
                f"after MJD {columns['mjd'][index]:.5f}",
                f"a stim was not found in a step of the past {_MISSING_DAYS:.0f} days",
                "legacy stim monitor",
                float(missing[index]),
                0.0,
                f"{segment.name} {stim}",
                columns["rootname"][index],
            )


def _keyword_findings(segment: StimHistory, newest: np.ndarray) -> Iterator[Finding]:
    columns = segment.columns
    lost = newest & (columns["quality_rows"] > 0) & np.isnan(columns["keyword"]) & (columns["nevents"] > 0)
    for index in np.flatnonzero(lost):
        yield Finding(
            "keyword",
            Severity.ALERT,
            f"the header of {segment.name} says that no stim was found among {columns['nevents'][index]:.0f} events",
            "STIM keywords negative or absent although NEVENTS is above 0",
            "legacy stim monitor",
            None,
            None,
            segment.name,
            columns["rootname"][index],
        )


def stim_findings(segment: StimHistory) -> Iterator[Finding]:
    """Apply the rules: scatter, side of the box, missing stims, header keywords."""
    newest = recent(segment.columns["mjd"])
    yield from _scatter_findings(segment, newest)
    yield from _edge_findings(segment, newest)
    yield from _missing_findings(segment)
    yield from _keyword_findings(segment, newest)
