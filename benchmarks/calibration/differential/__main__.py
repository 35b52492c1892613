"""``python -m benchmarks.calibration.differential``: plain against accelerated CalCOS on random
forms, for an hour.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.calibration.differential.trials import NAMES, run_trial
from services.calibrator.calcos.process import warm_up


def main() -> int:
    """Run trials until the time is up; returns 1 if one differed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration.differential", description=__doc__
    )
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long to go on")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first trial; the next one has the next"
    )
    parser.add_argument("--trials", type=int, default=0, help="end after so many")
    parser.add_argument("--work", type=Path, help="folder that keeps the visits for the next time")
    parser.add_argument("--only", default="", help="visits whose name contains this")
    chosen = parser.parse_args()
    names = [name for name in NAMES if chosen.only in name]
    warm_up()
    outcomes: Counter[str] = Counter()
    different = []
    ends = time.monotonic() + chosen.seconds
    with tempfile.TemporaryDirectory(prefix="cosmo-differential-") as temporary:
        seed = chosen.seed
        while time.monotonic() < ends and (not chosen.trials or seed < chosen.seed + chosen.trials):
            report = run_trial(
                seed, names, chosen.work or Path(temporary) / "visits", Path(temporary) / "trial"
            )
            print(json.dumps(report), flush=True)
            outcomes[report["ended"]] += 1
            if report["different"]:
                different.append(seed)
            shutil.rmtree(Path(temporary) / "trial", ignore_errors=True)
            seed += 1
    print(
        json.dumps(
            {
                "trials": sum(outcomes.values()),
                "ended": outcomes.most_common(),
                "different": different,
            }
        )
    )
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
