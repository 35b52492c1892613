"""``python -m benchmarks.simulator``: CPU seconds for a million recorded events, also over those of
a yardstick.

The yardstick is ten million normal variates of numpy: it makes results of different machines
comparable.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from simulator.nominal import nominal_state
from simulator.observe import expose
from simulator.plan import ExposurePlan
from simulator.state import Viewing
from simulator.verify.cases import CASES

_EXPOSURES = {
    "FUV": ("FUV G130M/1222 LP5 TAGFLASH", 860.0),
    "NUV": ("NUV G185M/1850 TAGFLASH", 540.0),
}
_VARIATES = 10_000_000


def _seconds(work: Callable[[], int]) -> tuple[float, int]:
    begin = time.process_time()
    count = work()
    return time.process_time() - begin, count


def _yardstick() -> int:
    return np.random.default_rng(0).normal(size=_VARIATES).size


def _record(plan: ExposurePlan, seed: int) -> int:
    viewing = Viewing(doppler_amplitude=7.2, doppler_zero=plan.start)
    return sum(
        found.time.size for found in expose(plan, nominal_state(plan.start), viewing, seed).values()
    )


def _measure(name: str, repeats: int) -> dict[str, float]:
    """Alternate exposure and yardstick, so that a busy machine hits both alike."""
    case, exptime = _EXPOSURES[name]
    plan = replace(CASES[case].members[0], exptime=exptime)
    rates, ratios, events = [], [], 0
    for seed in range(repeats):
        seconds, events = _seconds(partial(_record, plan, seed))
        rates.append(seconds * 1e6 / events)
        ratios.append(rates[-1] / _seconds(_yardstick)[0])
    return {
        "events": events,
        "cpu_seconds_per_million": round(statistics.median(rates), 3),
        "over_yardstick": round(statistics.median(ratios), 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    print(json.dumps({name: _measure(name, chosen.repeats) for name in _EXPOSURES}, indent=2))


if __name__ == "__main__":
    main()
