"""``python -m benchmarks.main_job``: both measurements, printed as ratios and milliseconds."""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.main_job.costs import Cost, run_bare, run_services, unpack
from benchmarks.main_job.latency import measure_latencies

_DATA = Path(__file__).parents[3] / "shared" / "data"


def _overhead(data: Path, folder: Path, repeats: int) -> dict[str, Any]:
    """Run both ways in alternation, so that a busy machine hits both alike."""
    raw, references = folder / "raw", folder / "references"
    source = data / "ldfd01010" / "raw"
    unpack(source, raw)
    unpack(data / "references", references)
    rows = []
    for number in range(repeats):
        bare = run_bare(raw, references, folder / f"bare-{number}")
        services = run_services(source, references, folder / f"services-{number}")
        rows.append(
            {
                "bare_wall": bare.wall,
                "bare_cpu": bare.cpu,
                "services_wall": services.wall,
                "services_cpu": services.cpu,
                "services_calcos_wall": services.calcos.wall,
                "services_calcos_cpu": services.calcos.cpu,
                "added_wall": _added(services, bare).wall,
                "added_cpu": _added(services, bare).cpu,
                "load": os.getloadavg()[0],
            }
        )
        print(json.dumps({name: round(value, 3) for name, value in rows[-1].items()}), flush=True)
    return {
        "repeats": repeats,
        "added_wall_fraction": statistics.median(row["added_wall"] for row in rows),
        "added_cpu_fraction": statistics.median(row["added_cpu"] for row in rows),
    }


def _added(services: Cost, bare: Cost) -> Cost:
    """Return the seconds that the services add, as fractions of the bare run beside them."""
    return Cost(services.wall / bare.wall - 1, services.cpu / bare.cpu - 1)


def _latency(folder: Path, count: int) -> dict[str, Any]:
    found: Sequence[float] = measure_latencies(folder, count)
    return {
        "jobs": count,
        "median_ms": 1e3 * statistics.median(found),
        "p99_ms": 1e3 * found[min(len(found) - 1, round(0.99 * len(found)))],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.main_job", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=_DATA, help="folder with ldfd01010/raw and references"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs each way; 0 leaves this part out"
    )
    parser.add_argument(
        "--jobs", type=int, default=300, help="small jobs for the latency; 0 leaves this part out"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cosmo-benchmark-") as name:
        folder = Path(name)
        if chosen.jobs:
            print(
                json.dumps({"event_to_claim": _latency(folder / "latency", chosen.jobs)}, indent=2)
            )
        if chosen.repeats:
            print(
                json.dumps(
                    {"overhead": _overhead(chosen.data.resolve(), folder, chosen.repeats)}, indent=2
                )
            )


if __name__ == "__main__":
    main()
