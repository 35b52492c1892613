"""``python -m benchmarks.mission``: fly a mission, run it through the services, compare the monitors with the truth."""

import argparse
import asyncio
import csv
import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from benchmarks.mission.comparing import Flagged, Recovered, flagged, recovered
from benchmarks.mission.truth import MissionTruth
from cosmo.cli.running import prepare, scan_once
from cosmo.client import Client
from cosmo.launcher.machine import Machine
from shared.errors import TransientError
from simulator.mission.make import DATA, REFERENCES, fly
from simulator.mission.schedule import Mission
from simulator.plan import FaultKind
from simulator.truth import TRUTH_NAME

_START = 57062.0
"""First day, MJD: 2015-02-09, when spectra moved to the third lifetime position."""

_ROUTINES = ("fuv-dark", "nuv-dark", "fuv-standard")
_FAULTS = (*[FaultKind.SAA] * 5, *[FaultKind.HV_STEP] * 2, FaultKind.SEGMENT_OFF, FaultKind.NO_EVENTS, FaultKind.BURST)
_MONITORS = ("gain", "gsag", "fuv-dark", "nuv-dark", "dark-orbit", "stims", "phd", "count-rate", "exposure-quality")
_POLL_SECONDS = 5.0


def _fly(mission: Mission, folder: Path, jobs: int) -> None:
    if (folder / TRUTH_NAME).exists():
        return
    for visit, done, total in fly(mission, folder, jobs=jobs):
        print(f"flown: {done} of {total} visits, {visit.kind} {visit.name}", end="\r", flush=True)
    print()


def _wait(machine: Machine, client: Client) -> None:
    """Wait until no job waits or runs."""
    while True:
        try:
            status = client.status()
        except TransientError as error:
            print(f"\n{error}")
        else:
            print(status["datasets"], status["jobs"], end="\r", flush=True)
            if not any(status["jobs"].get(state) for state in ("queued", "running")):
                print()
                return
        machine.check()
        time.sleep(_POLL_SECONDS)


def _write(path: Path, kind: type, rows: Iterable[Any]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([field.name for field in fields(kind)])
        for row in rows:
            values = asdict(row).values()
            writer.writerow(
                [("" if value != value else f"{value:.3g}") if isinstance(value, float) else value for value in values]
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("cosmo-mission"), help="of everything; what is there stays")
    parser.add_argument("--tables", type=Path, default=Path("docs"), help="gets mission.csv and mission_outliers.csv")
    parser.add_argument("--size", default="full", choices=("small", "large", "huge", "full"), help="of the mission")
    parser.add_argument("--years", type=float, default=10.0, help="length of the mission")
    parser.add_argument("--seed", type=int, default=5, help="what chance draws from")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="that fly, and that calibrate")
    chosen = parser.parse_args(arguments)
    mission = Mission(chosen.years, chosen.seed, chosen.size, _START, _FAULTS, _ROUTINES)
    flown = chosen.folder / f"mission-{chosen.size}-{chosen.seed}"
    _fly(mission, flown, chosen.processes)
    truth = MissionTruth(json.loads((flown / TRUTH_NAME).read_text()))
    data_dir = chosen.folder / f"machine-{chosen.size}-{chosen.seed}"
    with Machine(data_dir, references=flown / REFERENCES, calibrators=chosen.processes) as machine:
        prepare(machine)
        machine.start_services()
        asyncio.run(scan_once(machine.environment, str(flown / DATA)))
        with Client(machine.url, machine.token) as client:
            _wait(machine, client)
            for name in _MONITORS:
                client.compute(name)
                _wait(machine, client)
            _write(chosen.tables / "mission.csv", Recovered, recovered(client, truth))
            _write(chosen.tables / "mission_outliers.csv", Flagged, flagged(client, truth))
            print(f"{len(truth.exposures)} exposures, {client.status()['datasets']}")


if __name__ == "__main__":
    main()
