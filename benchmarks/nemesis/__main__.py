"""``python -m benchmarks.nemesis``: one run of faults.

Its report is JSON, and its status 1 where anything broke.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.nemesis.run import Run

_DATA = Path(__file__).parents[3] / "shared" / "data"
_PORTION_SECONDS = 12.0
"""Between two portions of work, so that the calibrator is busy most of the time on two cores."""


def main() -> None:
    """Carry it out and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nemesis", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=3600.0, help="time in which there are faults"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the faults and the simulated data")
    parser.add_argument(
        "--pause", type=float, default=5.0, help="seconds between two faults, on average"
    )
    parser.add_argument("--longest", type=float, default=20.0, help="seconds of the longest fault")
    parser.add_argument(
        "--data", type=Path, default=_DATA, help="folder with real data, if there is one"
    )
    parser.add_argument("--folder", type=Path, help="empty folder to work in, which is kept")
    parser.add_argument("--report", type=Path, help="file for the report; else it is printed")
    chosen = parser.parse_args()
    run = Run(
        chosen.seed,
        chosen.seconds,
        chosen.pause,
        chosen.longest,
        portions=round(chosen.seconds / _PORTION_SECONDS) + 1,
        real=chosen.data.resolve() if chosen.data.is_dir() else None,
        association=True,
    )
    with tempfile.TemporaryDirectory(prefix="cosmo-nemesis-") as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = run.carry_out(folder, lambda line: print(line, file=sys.stderr, flush=True))
    text = json.dumps(asdict(report), indent=2)
    if chosen.report is not None:
        chosen.report.write_text(f"{text}\n")
    else:
        print(text)
    sys.exit(1 if report.violations else 0)


if __name__ == "__main__":
    main()
