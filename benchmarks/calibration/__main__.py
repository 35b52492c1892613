"""``python -m benchmarks.calibration``: plain ``calcos`` and the calibrator in alternation, and
their ratios.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.calibration.cases import REAL, SIMULATED, Dataset, prepare
from benchmarks.calibration.running import Cost, compare, run_calibrator, run_plain
from benchmarks.calibration.throughput import measure_throughput
from services.calibrator.acceleration import left_out
from services.calibrator.calcos.process import warm_up

_DATA = Path(__file__).parents[3] / "shared" / "data"
_USUAL = (
    REAL,
    "FUV G130M/1291 LP3 TAGFLASH TWOZONE, FP-POS 3 and 4",
    "FUV G130M/1327 LP1 TAGFLASH BOXCAR",
    "FUV dark",
    "FUV G130M/1309 ACCUM, auto wavecal",
    "NUV G185M/1850 TAGFLASH",
    "NUV imaging MIRRORA, TAGFLASH",
    "NUV dark",
)


def _measure(
    dataset: Dataset, folder: Path, repeats: int, processes: int, without: frozenset[str], keep: str
) -> list[str]:
    """Run both ways in turn, so that a busy machine hits both alike; print costs and ratios."""
    plain: list[Cost] = []
    ours: list[Cost] = []
    different: set[str] = set()
    for _ in range(repeats):
        plain.append(run_plain(dataset, folder / "plain"))
        ours.append(run_calibrator(dataset, folder / "ours", processes, without, keep))
        different |= set(compare(folder / "plain" / "out", folder / "ours" / "packed", keep))
    files = len(list((folder / "ours" / "packed").iterdir()))
    shutil.rmtree(folder)
    one, other = _typical(plain), _typical(ours)
    report = {
        "dataset": dataset.name,
        "plain": one,
        "calibrator": other,
        "ratio": {name: round(one[name] / other[name], 2) for name in one},
        "files": files,
        "different": sorted(different),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(report), flush=True)
    return sorted(different)


def _typical(costs: Sequence[Cost]) -> dict[str, float]:
    rows = [asdict(cost) for cost in costs]
    return {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}


def main() -> int:
    """Measure; returns 1 if a file differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=_DATA, help="folder with ldfd01010/raw and references"
    )
    parser.add_argument(
        "--work", type=Path, help="folder that keeps the datasets for the next time"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs each way")
    parser.add_argument(
        "--processes", type=int, default=1, help="processes that a run of the calibrator may use"
    )
    parser.add_argument("--without", default="", help="replacements to leave out, comma separated")
    parser.add_argument(
        "--keep", default="*", help="suffixes of the products that are kept, and compared"
    )
    parser.add_argument(
        "--only", action="append", help="dataset whose name contains this; again for more"
    )
    parser.add_argument(
        "--queue",
        type=int,
        default=0,
        help="instead, calibrate so many with one worker and with two",
    )
    parser.add_argument("--all", action="store_true", help="every simulated dataset")
    chosen = parser.parse_args()
    names = [name for name in (REAL, *SIMULATED) if any(part in name for part in chosen.only or ())]
    if not chosen.only:
        names = [REAL, *SIMULATED] if chosen.all else list(_USUAL)
    if not (chosen.data / "ldfd01010").is_dir():
        names = [name for name in names if name != REAL]
    without = left_out(True, chosen.without)
    warm_up()
    with tempfile.TemporaryDirectory(prefix="cosmo-benchmark-") as temporary:
        work = (chosen.work or Path(temporary)).resolve()
        if chosen.queue:
            datasets = [prepare(name, work, chosen.data) for name in names]
            print(
                json.dumps(
                    measure_throughput(datasets, chosen.queue, 2, Path(temporary) / "queue"),
                    indent=2,
                )
            )
            return 0
        found = []
        for name in names:
            dataset, runs = prepare(name, work, chosen.data), Path(temporary) / "runs"
            found.append(
                _measure(dataset, runs, chosen.repeats, chosen.processes, without, chosen.keep)
            )
    return int(any(found))


if __name__ == "__main__":
    sys.exit(main())
