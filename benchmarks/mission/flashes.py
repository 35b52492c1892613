"""Comparison of the shifts and drifts of lamp flashes with the truth."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.mission.comparing import Flagged, Recovered, compare
from benchmarks.mission.truth import MissionTruth
from cosmo.client import Client

__all__ = ["drifts_recovered", "moves_recovered", "pending_flagged", "shifts_recovered"]

_SHIFTS = {"shift_disp": ("along", "shift1"), "shift_xdisp": ("across", "shift2")}
_DRIFTS = {"drift": ("along", "shift1"), "drift_xdisp": ("across", "shift2")}
_DETECTORS = ("fuv", "nuv")


def shifts_recovered(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    """Compare the shifts of each flash that enters statistics.

    Parameters
    ----------
    client
        Of a COSMO that has the mission.
    truth
        Its truth.
    """
    for monitor in (f"{detector}-osm-shift" for detector in _DETECTORS):
        for quantity, (axis, name) in _SHIFTS.items():
            pairs = [
                (row["value"] - flashes[number][name], row["error"])
                for row, flashes, number in _flashes(client, truth, monitor, quantity)
            ]
            yield compare(monitor, f"shift {axis} dispersion", "pix", pairs)


def drifts_recovered(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    """Compare the drift of each flash against the first one of its exposure and segment.

    Parameters are those of `shifts_recovered`.
    """
    for monitor in (f"{detector}-osm-drift" for detector in _DETECTORS):
        for quantity, (axis, name) in _DRIFTS.items():
            pairs = []
            for row, flashes, number in _flashes(client, truth, monitor, quantity):
                seconds = flashes[number]["middle"] - flashes[0]["middle"]
                drift = (flashes[number][name] - flashes[0][name]) / seconds
                pairs.append((row["value"] - drift, row["error"]))
            yield compare(monitor, f"drift {axis} dispersion", "pix / s", pairs)


def moves_recovered(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    """Compare the time of each flash since mechanisms moved, which schedule reports say to 1 s.

    Parameters are those of `shifts_recovered`.
    """
    for detector, mechanism in (("fuv", 1), ("nuv", 1), ("nuv", 2)):
        monitor = f"{detector}-osm-drift"
        pairs = [
            (
                row["value"]
                - truth.exposures[row["rootname"]]["plan"][f"since_osm{mechanism}"]
                - flashes[number]["middle"],
                1.0,
            )
            for row, flashes, number in _flashes(client, truth, monitor, f"since_osm{mechanism}")
        ]
        quantity = f"time since OSM{mechanism} moved"
        yield compare(monitor, quantity, "s", pairs, errors=False)


def pending_flagged(client: Client, truth: MissionTruth) -> Iterator[Flagged]:
    """Compare the flashes that wait for a schedule report with those that none plans.

    Parameters are those of `shifts_recovered`.
    """
    for monitor in (f"{detector}-osm-drift" for detector in _DETECTORS):
        found = [
            (row["rootname"] in truth.unplanned, row["region"].endswith(", pending"))
            for row, *_ in _flashes(client, truth, monitor, "drift")
        ]
        unplanned = sum(one for one, _ in found)
        hit = sum(one and pending for one, pending in found)
        others = sum(pending and not one for one, pending in found)
        yield Flagged(monitor, "no report that counts", len(found), unplanned, hit, others)


def _flashes(
    client: Client, truth: MissionTruth, monitor: str, quantity: str
) -> Iterator[tuple[Mapping[str, Any], list[Mapping[str, float]], int]]:
    """Yield the values of flashes that enter statistics, the true flashes of their segment, and the
    place of each among these; those of a drift that is pending, too.
    """
    faulty = truth.faulty()
    for row in client.values(monitor, quantity=quantity):
        name, region = row["rootname"], row["region"]
        # Without a schedule report the time since a move is missing, and nothing else.
        counted = "," not in region or region.endswith(", pending")
        if name in truth.exposures and name not in faulty and counted:
            flashes = truth.exposures[name]["channels"][row["segment"]]["flashes"]
            yield row, flashes, int(region.split(",")[0].removeprefix("flash ")) - 1
