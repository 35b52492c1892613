"""Comparison of what monitors flagged with the faults that were injected."""

from collections.abc import Collection, Iterator, Mapping

from benchmarks.mission.comparing import Flagged
from benchmarks.mission.darks import spots_flagged
from benchmarks.mission.flashes import pending_flagged
from benchmarks.mission.truth import MissionTruth
from cosmo.client import Client

__all__ = ["flagged"]


def flagged(client: Client, truth: MissionTruth) -> Iterator[Flagged]:
    """Compare the exposures that monitors flagged with those whose faults were injected, and the
    hot spots.

    Parameters
    ----------
    client
        Of a COSMO that has the mission.
    truth
        Its truth.
    """
    bright = truth.suffered("saa", "burst", "bad-time", exptype="DARK")
    stepped, odd = truth.suffered("hv-step"), truth.suffered("hv-step", "no-events")
    for monitor, quantity, fault, injected in (
        ("fuv-dark", "dark_rate", "SAA, burst", bright),
        ("nuv-dark", "dark_rate", "", {}),
        ("stims", "position", "", {}),
        ("phd", "peak", "step of the voltage", stepped),
        ("gain", "modal_gain", "step of the voltage", stepped),
        ("count-rate", "rate", "burst", truth.suffered("burst", exptype="DARK")),
        ("exposure-quality", "rules_hit", "step of the voltage, no events", odd),
    ):
        outliers: dict[tuple[str, str | None], bool] = {}
        for row in client.values(monitor, quantity=quantity):
            if row["rootname"] in truth.exposures:
                key = row["rootname"], row["segment"]
                outliers[key] = outliers.get(key, False) or row["outlier"]
        hit = {key for key, outlier in outliers.items() if outlier}
        mine = {key for key in outliers if _concerns(injected, *key)}
        yield Flagged(monitor, fault, len(outliers), len(mine), len(hit & mine), len(hit - mine))
    yield spots_flagged(client, truth)
    yield from pending_flagged(client, truth)


def _concerns(injected: Mapping[str, Collection[str]], rootname: str, segment: str | None) -> bool:
    """Return whether a fault of an exposure concerns a measurement of a segment, or of all of
    it.
    """
    return rootname in injected and (
        not injected[rootname] or segment is None or segment in injected[rootname]
    )
