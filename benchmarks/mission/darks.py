"""Comparison of dark rates, and hot spots, with the truth."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.mission.comparing import Flagged, Recovered, compare
from benchmarks.mission.truth import MissionTruth
from cosmo.client import Client
from services.monitor.monitors.darks.rates import SAA_EDGE_KM, SAA_LATITUDE, SAA_LONGITUDE
from shared.cos.detector import X_BINNING, Y_BINNING
from simulator.background import Detector
from simulator.state import HotSpot

__all__ = ["darks_recovered", "spots_flagged", "spots_recovered"]

_EDGE_KM, _QUIET_KM = 500.0, 2000.0


def _bins(
    client: Client, truth: MissionTruth
) -> Iterator[tuple[str, Detector, dict[str, np.ndarray]]]:
    """Yield the 25-s bins of each dark exposure and detector, with their true rates."""
    names = ("mjd", "latitude", "longitude", "saa_distance", "exposure")
    groups: dict[tuple[str, Detector], list[list[float]]] = {}
    for row in client.rows("darks", region__in="inner,all", latitude__isnull="false"):
        if row["rootname"] in truth.exposures:
            groups.setdefault((row["rootname"], row["detector"]), []).append(
                [row[name] for name in names]
            )
    for (rootname, detector), rows in groups.items():
        columns = dict(zip(names, np.array(rows, dtype=float).T, strict=True))
        yield (
            rootname,
            detector,
            columns | {"true": truth.dark(rootname, detector, columns["mjd"].tolist())},
        )


def darks_recovered(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    """Compare the rate of each dark, and how it goes up towards the South Atlantic Anomaly.

    Parameters
    ----------
    client
        Of a COSMO that has the mission.
    truth
        Its truth.
    """
    faulty = truth.faulty()
    rates: dict[tuple[str, str], float] = {}
    edges: dict[str, list[np.ndarray]] = {}
    for rootname, detector, bins in _bins(client, truth):
        free = (bins["latitude"] > SAA_LATITUDE) | (bins["longitude"] < SAA_LONGITUDE)
        free &= bins["saa_distance"] > SAA_EDGE_KM
        if rootname not in faulty and bins["exposure"][free].sum() > 0:
            rates[rootname, detector] = float(
                np.average(bins["true"][free], weights=bins["exposure"][free])
            )
        if rootname not in faulty:
            edges.setdefault(detector, []).append(np.stack([bins["saa_distance"], bins["true"]]))
    for monitor, region in (("fuv-dark", "inner"), ("nuv-dark", "all")):
        found = [
            (row["value"] - rates[key], row["error"], row["value"] / rates[key] - 1.0)
            for row in client.values(monitor, quantity="dark_rate", region=region)
            for key in ((row["rootname"], "NUV" if monitor == "nuv-dark" else row["segment"]),)
            if key in rates
        ]
        table = np.array(found).reshape(-1, 3)
        yield compare(monitor, "dark rate of an exposure", "count / (s pix)", table[:, :2])
        yield compare(monitor, "the same, relative", "", table[:, [2, 1]], errors=False)
    ratios = []
    for row in client.values("dark-orbit", quantity="edge_ratio"):
        if row["value"] is None:  # too few bins
            continue
        distance, true = np.concatenate(edges[row["segment"]], axis=1)
        ratio = true[np.abs(distance) < _EDGE_KM].mean() / true[distance > _QUIET_KM].mean()
        ratios.append((row["value"] - ratio, row["error"]))
    yield compare("dark-orbit", "rate at the edge of the SAA over that far from it", "", ratios)


def _seen(client: Client) -> list[dict[str, Any]]:
    """Return the hot spots that were found.

    Detector, rectangle (pixels), start, stop (MJD), rate with its error.
    """
    stops = {
        (row["segment"], row["region"], row["mjd"]): row["value"]
        for row in client.values("superdark", quantity="spot_stop")
    }
    found = []
    for row in client.values("superdark", quantity="spot_rate"):
        corner, size = (
            text.split(mark) for text, mark in zip(row["region"].split(), (",", "x"), strict=True)
        )
        (x, y), (width, height) = map(int, corner), map(int, size)
        stop = stops[row["segment"], row["region"], row["mjd"]]
        found.append(
            {
                "detector": row["segment"],
                "box": (x, x + width, y, y + height),
                "start": row["mjd"],
                "stop": stop,
            }
            | {"rate": row["value"], "error": row["error"]}
        )
    return found


def _is_of(seen: dict[str, Any], spot: HotSpot) -> bool:
    """Return whether a hot spot that was found is true, to within a superpixel and in time."""
    left, right, low, high = seen["box"]
    there = (
        left - X_BINNING <= spot.x < right + X_BINNING
        and low - Y_BINNING <= spot.y < high + Y_BINNING
    )
    return bool(
        seen["detector"] == spot.detector
        and there
        and seen["start"] < spot.stop
        and seen["stop"] > spot.start
    )


def spots_recovered(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    """Compare when hot spots came and went, with errors of the time between two darks, and how
    bright they were.

    Parameters are those of `darks_recovered`.
    """
    starts, stops, rates = [], [], []
    seen = _seen(client)
    for spot in truth.instrument.spots:
        mine = [one for one in seen if _is_of(one, spot)]
        if not mine or not truth.is_sure(spot):
            continue
        mjd, _ = truth.darks(spot.detector)
        there = mjd[(mjd >= spot.start) & (mjd < spot.stop)]
        gap = float(np.median(np.diff(mjd)))
        starts.append((min(one["start"] for one in mine) - there[0], gap))
        stops.append((max(one["stop"] for one in mine) - there[-1], gap))
        if len(mine) == 1:
            left, right, low, high = mine[0]["box"]
            # The monitor counts the superpixels about the rectangle too.
            share = spot.share_within(
                left - X_BINNING, right + X_BINNING, low - Y_BINNING, high + Y_BINNING
            )
            rate = truth.spot_rate(spot, float(there.mean())) * share
            rates.append((mine[0]["rate"] - rate, mine[0]["error"]))
    yield compare(
        "superdark", "first dark that shows a hot spot, in times between two darks", "d", starts
    )
    yield compare("superdark", "last dark that shows it", "d", stops)
    yield compare("superdark", "rate of a hot spot", "count / s", rates)


def spots_flagged(client: Client, truth: MissionTruth) -> Flagged:
    """Count the hot spots that the darks are sure to show, those that were found, and false ones.

    Parameters are those of `darks_recovered`. Faint true ones that were found are no false ones.
    """
    seen = _seen(client)
    sure = [spot for spot in truth.instrument.spots if truth.is_sure(spot)]
    found = [spot for spot in sure if any(_is_of(one, spot) for one in seen)]
    false = [one for one in seen if not any(_is_of(one, spot) for spot in truth.instrument.spots)]
    return Flagged("superdark", "hot spots", len(seen), len(sure), len(found), len(false))
