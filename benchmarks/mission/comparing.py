"""Compare what the monitors found with the truth."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.mission.truth import MissionTruth
from cosmo.client import Client
from services.monitor.monitors.parts.darks import SAA_LATITUDE, SAA_LONGITUDE
from services.monitor.monitors.parts.gain_trends import trend_start

__all__ = ["Flagged", "Recovered", "flagged", "recovered"]

_YEAR = 365.25
_EDGE_KM, _QUIET_KM = 500.0, 2000.0
_PAGE = 1000
_SURE_DAYS = 180.0


@dataclass(frozen=True)
class Recovered:
    """How well a quantity came back.

    Attributes
    ----------
    difference
        Median of measured less true, in the unit.
    bias, spread, beyond
        Of the differences in units of their stated errors: median, the size that 68 % stay below, and the share that
        exceeds 3; NaN where no errors are stated.
    """

    monitor: str
    quantity: str
    unit: str
    values: int
    difference: float
    bias: float
    spread: float
    beyond: float


@dataclass(frozen=True)
class Flagged:
    """Exposures that a monitor measured, those with injected faults that it must flag, and what it flagged."""

    monitor: str
    exposures: int
    injected: int
    found: int
    others: int


def _recovered(
    monitor: str, quantity: str, unit: str, difference: np.ndarray, error: np.ndarray | None = None
) -> Recovered:
    pull = difference / error if error is not None else np.full(len(difference), np.nan)
    pull, count = pull[np.isfinite(pull)], len(difference)
    if not count:
        return Recovered(monitor, quantity, unit, 0, *[np.nan] * 4)
    known = len(pull) > 0
    return Recovered(
        monitor, quantity, unit, count, float(np.median(difference)),
        float(np.median(pull)) if known else np.nan,
        float(np.percentile(np.abs(pull), 68.3)) if known else np.nan,
        float(np.mean(np.abs(pull) > 3)) if known else np.nan,
    )  # fmt: skip


def recovered(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    """Compare every quantity whose truth is known.

    Parameters
    ----------
    client
        Of a COSMO that has the mission.
    truth
        Its truth.
    """
    yield from _darks(client, truth)
    yield from _stims(client, truth)
    yield from _gains(client, truth)


def _bins(client: Client, truth: MissionTruth) -> Iterator[tuple[str, str, dict[str, np.ndarray]]]:
    """25-s bins of each dark exposure and detector, with their true rates."""
    names = ("mjd", "latitude", "longitude", "saa_distance", "exposure")
    groups: dict[tuple[str, str], list[list[float]]] = {}
    for row in client.table("darks", region__in="inner,all", latitude__isnull="false", limit=_PAGE):
        groups.setdefault((row["rootname"], row["detector"]), []).append([row[name] for name in names])
    for (rootname, detector), rows in groups.items():
        columns = dict(zip(names, np.array(rows, dtype=float).T, strict=True))
        yield rootname, detector, columns | {"true": truth.dark(rootname, detector, columns["mjd"].tolist())}


def _darks(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    faulty = truth.faulty()
    rates: dict[tuple[str, str], float] = {}
    edges: dict[str, list[np.ndarray]] = {}
    for rootname, detector, bins in _bins(client, truth):
        free = (bins["latitude"] > SAA_LATITUDE) | (bins["longitude"] < SAA_LONGITUDE)
        if rootname not in faulty and bins["exposure"][free].sum() > 0:
            rates[rootname, detector] = float(np.average(bins["true"][free], weights=bins["exposure"][free]))
        if rootname not in faulty:
            edges.setdefault(detector, []).append(np.stack([bins["saa_distance"], bins["true"]]))
    for monitor, region in (("fuv-dark", "inner"), ("nuv-dark", "all")):
        found = [
            (row["value"] - rates[key], row["error"], row["value"] / rates[key] - 1.0)
            for row in client.values(monitor, quantity="dark_rate", region=region, limit=_PAGE)
            for key in ((row["rootname"], "NUV" if monitor == "nuv-dark" else row["segment"]),)
            if key in rates
        ]
        difference, error, relative = np.array(found).reshape(-1, 3).T
        yield _recovered(monitor, "dark rate of an exposure", "count / (s pix)", difference, error)
        yield _recovered(monitor, "the same, relative", "", relative)
    ratios = []
    for row in client.values("dark-orbit", quantity="edge_ratio"):
        distance, true = np.concatenate(edges[row["segment"]], axis=1)
        ratio = true[np.abs(distance) < _EDGE_KM].mean() / true[distance > _QUIET_KM].mean()
        ratios.append((row["value"] - ratio, row["error"]))
    difference, error = np.array(ratios).reshape(-1, 2).T
    yield _recovered("dark-orbit", "rate at the edge of the SAA over that far from it", "", difference, error)


def _stims(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    faulty = truth.faulty()
    history: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for row in client.values("stims", quantity="position", limit=_PAGE):
        name, segment, where = row["rootname"], row["segment"], row["region"]
        if name in truth.exposures and name not in faulty:
            true = truth.stims(name, segment)[int(where[4]) - 1]["xy".index(where[-1])]
            history.setdefault((segment, where), []).append((row["mjd"], row["value"], true))
    for axis in "xy":
        parts = [np.array(rows) for (_, where), rows in history.items() if where.endswith(axis)]
        points = np.concatenate(parts) if parts else np.zeros((0, 3))
        yield _recovered("stims", f"position along {axis}", "pix", points[:, 1] - points[:, 2])
        slopes = [np.polyfit((part[:, 0] - part[0, 0]) / _YEAR, part[:, 1:], 1)[0] for part in parts if len(part) > 2]
        drift = np.array([measured - true for measured, true in slopes])
        yield _recovered("stims", f"drift along {axis}", "pix / yr", drift)


def _gains(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    faulty = truth.faulty()
    times: dict[tuple[str, int, int, int], list[float]] = {}
    for row in client.table("gain", limit=_PAGE):
        if row["rootname"] not in faulty and row["dethv"] is not None:
            times.setdefault((row["segment"], row["dethv"], row["x"], row["y"]), []).append(row["expstart"])
    slopes, dates = [], []
    for row in client.table("gain_trends", limit=_PAGE):
        key = row["segment"], row["dethv"], row["x"], row["y"]
        used = np.array(times.get(key, [np.nan]))
        last = used.max()
        first = used[used >= trend_start(np.array([last]))[0]].min() if np.isfinite(last) else last
        if not last > first:
            continue
        place = np.array([row["x"]]), np.array([row["y"]])
        begin, end = (float(truth.gain(row["segment"], row["dethv"], mjd, *place)[0]) for mjd in (first, last))
        slope = (end - begin) / (last - first)
        slopes.append((_YEAR * (row["slope"] - slope), _YEAR * row["slope_error"]))
        if row["mjd"] is not None and slope < 0:
            dates.append((row["mjd"] - (last + (3.0 - end) / slope), row["mjd_error"]))
    sure = [(difference, error) for difference, error in dates if error < _SURE_DAYS]
    for quantity, unit, pairs in (
        ("slope of a superpixel", "bin / yr", slopes),
        ("projected date of a superpixel", "d", dates),
        (f"the same, errors below {_SURE_DAYS:.0f} d", "d", sure),
    ):
        difference, error = np.array(pairs).reshape(-1, 2).T
        yield _recovered("gain", quantity, unit, difference, error)
    away = [
        float(truth.gain(row["segment"], row["dethv"], row["mjd"], np.array([row["x"]]), np.array([row["y"]]))[0]) - 3.0
        for row in client.table("flagged", limit=_PAGE)
    ]
    largest = max(away, default=np.nan)
    yield Recovered("gain", "largest true gain when flagged, less 3", "bin", len(away), largest, *[np.nan] * 3)


def flagged(client: Client, truth: MissionTruth) -> Iterator[Flagged]:
    """Compare the exposures that monitors flagged with those whose faults were injected."""
    for monitor, quantity, injected in (
        ("fuv-dark", "dark_rate", truth.bright),
        ("nuv-dark", "dark_rate", truth.bright),
        ("stims", "position", set()),
        ("phd", "peak", truth.stepped),
        ("gain", "modal_gain", truth.stepped),
    ):
        outliers: dict[str, bool] = {}
        for row in client.values(monitor, quantity=quantity, limit=_PAGE):
            outliers[row["rootname"]] = outliers.get(row["rootname"], False) or row["outlier"]
        wanted = injected & outliers.keys()
        hit = {name for name, outlier in outliers.items() if outlier}
        yield Flagged(monitor, len(outliers), len(wanted), len(hit & wanted), len(hit - wanted))
