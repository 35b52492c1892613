"""Comparison of the positions of stim pulses with the truth."""

from collections.abc import Iterator

import numpy as np

from benchmarks.mission.comparing import YEAR, Recovered, compare
from benchmarks.mission.truth import MissionTruth
from cosmo.client import Client

__all__ = ["stims_recovered"]


def stims_recovered(client: Client, truth: MissionTruth) -> Iterator[Recovered]:
    """Compare the position in each exposure, and the drift over the mission.

    Parameters
    ----------
    client
        Of a COSMO that has the mission.
    truth
        Its truth.
    """
    faulty = truth.faulty()
    history: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
    for row in client.values("stims", quantity="position"):
        name, segment, where = row["rootname"], row["segment"], row["region"]
        if name in truth.exposures and name not in faulty:
            true = truth.stims(name, segment)[int(where[4]) - 1]["xy".index(where[-1])]
            error = np.nan if row["error"] is None else row["error"]
            history.setdefault((segment, where), []).append((row["mjd"], row["value"], true, error))
    for axis in "xy":
        parts = [np.array(rows) for (_, where), rows in history.items() if where.endswith(axis)]
        points = np.concatenate(parts) if parts else np.zeros((0, 4))
        yield compare(
            "stims",
            f"position along {axis}",
            "pix",
            np.stack([points[:, 1] - points[:, 2], points[:, 3]], axis=1),
        )
        slopes = [
            np.polyfit((part[:, 0] - part[0, 0]) / YEAR, part[:, 1:3], 1)[0]
            for part in parts
            if len(part) > 2
        ]
        drift = [(measured - true, np.nan) for measured, true in slopes]
        yield compare("stims", f"drift along {axis}", "pix / yr", drift)
