"""Comparison of the decline of the gain, and projected dates, with the truth."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from benchmarks.mission.comparing import YEAR, Recovered, compare
from benchmarks.mission.truth import MissionTruth
from cosmo.client import Client
from services.monitor.framework.statistics import robust_sigma
from services.monitor.monitors.gain.pixels import REFERENCE_LEVEL
from services.monitor.monitors.gain.regions import ROWS, within
from services.monitor.monitors.gain.rules import SAGGED
from services.monitor.monitors.gain.trends import trend_start
from shared.cos.detector import X_BINNING
from simulator.evolution import GAIN_PER_LEVEL

__all__ = ["gains_recovered"]

_SURE_DAYS = 180.0
_LEAST_SCATTER = 0.01
"""Scatter of superpixels that is always believed, bins."""
_FEWEST = 3
"""Exposures at each of two voltages that show what a level is worth."""

_Rows = list[tuple[int, int, int, float, float]]


def gains_recovered(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    """Compare lines through superpixels and regions, what a level of voltage buys, and when
    superpixels sag.

    Parameters
    ----------
    client
        Of a COSMO that has the mission.
    truth
        Its truth.
    """
    faulty = truth.faulty("hv-step")
    exposures: dict[tuple[str, str], _Rows] = {}
    for row in client.rows("gain"):
        if (
            row["rootname"] in truth.exposures
            and row["rootname"] not in faulty
            and row["dethv"] is not None
        ):
            one = (row["dethv"], row["x"], row["y"], row["expstart"], row["gain"])
            exposures.setdefault((row["segment"], row["rootname"]), []).append(one)
    yield from _pixels(client, truth, exposures)
    yield from _regions(client, truth, exposures)
    away = [
        float(
            truth.gain(
                row["segment"], row["dethv"], row["mjd"], np.array([row["x"]]), np.array([row["y"]])
            )[0]
        )
        - SAGGED.now
        for row in client.rows("flagged")
    ]
    largest = max(away, default=np.nan)
    yield Recovered(
        "gain", "largest true gain when flagged, less 3", "bin", len(away), largest, *[np.nan] * 3
    )


def _pixels(
    client: Client, truth: MissionTruth, exposures: Mapping[tuple[str, str], _Rows]
) -> Iterator[Recovered]:
    times: dict[tuple[str, int, int, int], list[float]] = {}
    for (segment, _), rows in exposures.items():
        for level, x, y, mjd, _ in rows:
            times.setdefault((segment, level, x, y), []).append(mjd)
    slopes, dates = [], []
    for row in client.rows("gain_trends"):
        if not truth.is_one_cell(row["y"]):
            continue
        key = row["segment"], row["dethv"], row["x"], row["y"]
        used = np.array(times.get(key, [np.nan]))
        last = used.max()
        first = used[used >= trend_start(np.array([last]))[0]].min() if np.isfinite(last) else last
        if not last > first:
            continue
        place = np.array([row["x"]]), np.array([row["y"]])
        begin, end = (
            float(truth.gain(row["segment"], row["dethv"], mjd, *place)[0]) for mjd in (first, last)
        )
        slope = (end - begin) / (last - first)
        slopes.append((YEAR * (row["slope"] - slope), YEAR * row["slope_error"]))
        if row["mjd"] is not None and slope < 0:
            dates.append((row["mjd"] - (last + (SAGGED.now - end) / slope), row["mjd_error"]))
    sure = [(difference, error) for difference, error in dates if error < _SURE_DAYS]
    yield compare("gain", "slope of a superpixel", "bin / yr", slopes)
    yield compare("gain", "projected date of a superpixel", "d", dates)
    yield compare("gain", f"the same, errors below {_SURE_DAYS:.0f} d", "d", sure)


def _regions(
    client: Client, truth: MissionTruth, exposures: Mapping[tuple[str, str], _Rows]
) -> Iterator[Recovered]:
    measured: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in client.values("gain", quantity="modal_gain"):
        if (row["segment"], row["rootname"]) in exposures:
            true = _median(truth, row, exposures[row["segment"], row["rootname"]])
            measured.setdefault((row["segment"], row["region"]), []).append(row | {"true": true})
    for rows in measured.values():
        rows.sort(key=lambda row: float(row["mjd"]))
    every = [row for rows in measured.values() for row in rows]
    yield compare(
        "gain",
        "gain of a region in an exposure",
        "bin",
        [(row["value"] - row["true"], row["error"]) for row in every],
    )
    slopes: dict[int, list[tuple[float, float]]] = {}
    dates = []
    lines = {
        (row["segment"], row["region"]): row for row in client.values("gain", quantity="gain_slope")
    }
    ends = {
        (row["segment"], row["region"]): row for row in client.values("gain", quantity="sag_date")
    }
    for key, line in lines.items():
        rows = [row for row in measured.get(key, []) if not row["outlier"]]
        mjd = np.array([row["mjd"] for row in rows])
        recent = mjd >= trend_start(mjd[-1:]) if len(mjd) else np.zeros(0, dtype=bool)
        if np.count_nonzero(recent) < _FEWEST:
            continue
        levels = np.array([row["hvlevel"] for row in rows])
        gains = np.array([row["true"] for row in rows]) + GAIN_PER_LEVEL * (
            REFERENCE_LEVEL - levels
        )
        slope, constant = np.polyfit(mjd[recent] - mjd[-1], gains[recent], 1).tolist()
        slopes.setdefault(int(line["life_adj"]), []).append(
            (line["value"] - slope * YEAR, line["error"])
        )
        if key in ends and slope < 0:
            threshold = SAGGED.now + GAIN_PER_LEVEL * (REFERENCE_LEVEL - levels[-1])
            dates.append(
                (
                    ends[key]["value"] - (mjd[-1] + (threshold - constant) / slope),
                    ends[key]["error"],
                )
            )
    for number in sorted(slopes):
        yield compare("gain", f"loss at lifetime position {number}", "bin / yr", slopes[number])
    yield compare("gain", "projected date of a region", "d", dates)
    yield compare("gain", "gain of one level of voltage", "bin", list(_levels(measured)))


def _median(truth: MissionTruth, row: Mapping[str, Any], rows: _Rows) -> float:
    """Find what the median gain of the superpixels that an exposure measured in a region should be.

    It is that of the true gains, each scattered as the measured ones are: where a part of a region
    has sagged, the median of true gains alone lies elsewhere.
    """
    level, x, y, mjd, gain = np.array(rows).T
    first, last = (int(text) for text in row["region"].split()[-1].split("-"))
    inside = within(y, ROWS[row["segment"]][int(row["life_adj"])])
    inside &= (x * X_BINNING >= first) & (x * X_BINNING <= last)
    true = truth.gain(
        row["segment"], level[0], mjd[0], x[inside].astype(int), y[inside].astype(int)
    )
    scatter = max(robust_sigma(gain[inside] - true), _LEAST_SCATTER)
    ends = true.min() - 3 * scatter, true.max() + 3 * scatter
    return float(brentq(lambda median: norm.cdf((median - true) / scatter).mean() - 0.5, *ends))


def _levels(
    measured: Mapping[tuple[str, str], list[dict[str, Any]]],
) -> Iterator[tuple[float, float]]:
    """Compare what a level is worth, by region: from lines of one slope before and after steps of
    the voltage.

    The same lines through true gains show what it should be, since these do not fall along one
    line.
    """
    for rows in measured.values():
        mjd, level, gain = (
            np.array([row[name] for row in rows]) for name in ("mjd", "hvlevel", "value")
        )
        levels, number = np.unique(level, return_counts=True)
        if len(levels) < 2 or number.min() < _FEWEST or len(gain) < 4 * _FEWEST:
            continue
        design = np.stack([np.ones(len(mjd)), mjd - mjd.mean(), level - level.mean()], axis=1)
        inverse = np.linalg.inv(design.T @ design)
        found = inverse @ design.T @ gain
        scatter = np.sqrt(((gain - design @ found) ** 2).sum() / (len(gain) - 3))
        true = inverse @ design.T @ np.array([row["true"] for row in rows])
        yield float(found[2] - true[2]), float(scatter * np.sqrt(inverse[2, 2]))
