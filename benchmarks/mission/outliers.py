"""Compare what monitors flagged with the faults that were injected."""

from collections.abc import Iterator

from benchmarks.mission.comparing import PAGE, Flagged
from benchmarks.mission.darks import spots_flagged
from benchmarks.mission.truth import MissionTruth
from cosmo.client import Client

__all__ = ["flagged"]


def flagged(client: Client, truth: MissionTruth) -> Iterator[Flagged]:
    """Compare the exposures that monitors flagged with those whose faults were injected, and the hot spots.

    Parameters
    ----------
    client
        Of a COSMO that has the mission.
    truth
        Its truth.
    """
    bright, stepped = truth.bright, truth.stepped
    for monitor, quantity, fault, injected in (
        ("fuv-dark", "dark_rate", "SAA, burst", bright),
        ("nuv-dark", "dark_rate", "", set[str]()),
        ("stims", "position", "", set[str]()),
        ("phd", "peak", "step of the voltage", stepped),
        ("gain", "modal_gain", "step of the voltage", stepped),
    ):
        outliers: dict[str, bool] = {}
        for row in client.values(monitor, quantity=quantity, limit=PAGE):
            if row["rootname"] in truth.exposures:
                outliers[row["rootname"]] = outliers.get(row["rootname"], False) or row["outlier"]
        hit = {name for name, outlier in outliers.items() if outlier}
        yield Flagged(monitor, fault, len(outliers), len(injected), len(hit & injected), len(hit - injected))
    yield spots_flagged(client, truth)
    rest = truth.faulty() - bright - stepped
    yield Flagged("", "faults that take nothing from what a monitor measures", len(rest), 0, 0, 0)
