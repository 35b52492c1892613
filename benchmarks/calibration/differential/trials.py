"""One trial of a seed: a visit, what is varied in it, and both runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration.differential.outcome import compare, run_both
from benchmarks.calibration.differential.variations import vary
from benchmarks.calibration.differential.visits import FUV, NUV, prepare

__all__ = ["NAMES", "run_trial"]

NAMES = (*NUV, *FUV)
_NUV_WEIGHT = 3.0
"""How much more often than an FUV visit each of the NUV is tried."""


def run_trial(seed: int, names: Sequence[str], visits: Path, folder: Path) -> dict[str, Any]:
    """Run the trial of a seed.

    Parameters
    ----------
    seed
        Decides everything.
    names
        Visits to choose from.
    visits
        Folder that keeps them.
    folder
        New folder, for this trial.

    Returns
    -------
    dict
        The seed, the visit, what was varied, how plain CalCOS ended, seconds of both, and how the
        runs differ.
    """
    random = np.random.default_rng(seed)
    weights = np.array([_NUV_WEIGHT if name in NUV else 1.0 for name in names])
    name = str(random.choice(names, p=weights / weights.sum()))
    processes = int(random.integers(1, 3))
    trial = vary(prepare(name, visits).copy(folder), random)
    plain, fast = run_both(
        trial.target, trial.visit.references, folder / "run", trial.arguments, processes
    )
    return {
        "seed": seed,
        "visit": name,
        "processes": processes,
        "varied": trial.done,
        "ended": plain.error_type or plain.signal or f"status {plain.status}",
        "seconds": [round(plain.cpu_seconds, 2), round(fast.cpu_seconds, 2)],
        "different": compare(plain, fast, processes),
    }
