"""``python -m benchmarks.mission``: simulate a mission, run it through the services, compare the
monitors with the truth.
"""

import argparse
import asyncio
import csv
import math
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_args

from benchmarks.mission.comparing import PAGE, Flagged, Recovered
from benchmarks.mission.darks import darks_recovered, spots_recovered
from benchmarks.mission.flash_tables import (
    compute_flashes,
    flashes_flagged,
    flashes_recovered,
)
from benchmarks.mission.flashes import drifts_recovered, moves_recovered, shifts_recovered
from benchmarks.mission.gains import gains_recovered
from benchmarks.mission.outliers import flagged
from benchmarks.mission.processing import SETTINGS, TIMEOUT, compute, process, simulate_into
from benchmarks.mission.stims import stims_recovered
from benchmarks.mission.truth import MissionTruth
from benchmarks.mission.wavelengths import wavelengths_recovered
from cosmo.cli.local_run import add_reports, prepare
from cosmo.client import Client
from cosmo.launcher.stack import LocalStack
from simulator.flash_tables import flash_tables
from simulator.mission.make import REFERENCES, REPORTS, MissionSimulation, simulated_truth
from simulator.mission.schedule import Mission, Size
from simulator.plan import FaultKind

_START = 57062.0
"""First day, MJD: 2015-02-09, when spectra moved to the third lifetime position."""

_ROUTINES = ("fuv-dark", "nuv-dark", "fuv-standard")
_FAULTS = (
    *[FaultKind.SAA] * 10,
    *[FaultKind.HV_STEP] * 4,
    *[FaultKind.BURST] * 2,
    FaultKind.SEGMENT_OFF,
    FaultKind.NO_EVENTS,
)
_SPOTS = 40
_DISPERSIONS = (("G160M", _START + 1500.0, 4.0, 3e-5),)
"""What is to be found of wavelengths: grating, MJD from which on, displacement of targets in
pixels, and stretch."""
_DECADES = 6000
"""Exposures of the decades of lamp flashes."""
_MONITORS = (
    "fuv-osm-shift",
    "nuv-osm-shift",
    "fuv-osm-drift",
    "nuv-osm-drift",
    "wavelength",
    "gain",
    "gsag",
    "fuv-dark",
    "nuv-dark",
    "dark-orbit",
    "superdark",
    "stims",
    "phd",
    "count-rate",
    "exposure-quality",
)


def _write(path: Path, kind: type, rows: Iterable[Any]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([field.name for field in fields(kind)])
        for row in rows:
            values = asdict(row).values()
            writer.writerow(
                [
                    ("" if value != value else f"{value:.3g}")
                    if isinstance(value, float)
                    else value
                    for value in values
                ]
            )


def _measure_decades(seed: int, folder: Path, tables: Path) -> None:
    """Compare decades of lamp flashes, which take no CalCOS, with their truth."""
    decades = flash_tables(seed, _DECADES)
    decades.write_truth(folder / "decades")
    found = compute_flashes(decades)
    _write(tables / "decades.csv", Recovered, flashes_recovered(decades, found))
    _write(tables / "decades_outliers.csv", Flagged, flashes_flagged(decades, found))


def _measure(machine: LocalStack, mission: Mission, folder: Path, tables: Path) -> None:
    with Client(machine.url, machine.token, timeout=TIMEOUT, page_size=PAGE) as client:
        reports = MissionSimulation(mission, folder).write_reports()
        early = [name for name in sorted(reports.texts) if name not in reports.late]
        for names in (early, reports.late):
            paths = [folder / REPORTS / name for name in names]
            asyncio.run(add_reports(machine.environment, paths))
        for name in _MONITORS:
            compute(machine, client, name)
        there = {dataset.rootname for dataset in client.datasets(state="ingested")}
        exposures = simulated_truth(mission, folder)
        truth = MissionTruth(mission, exposures, there, reports.unplanned)
        parts = (
            darks_recovered,
            spots_recovered,
            stims_recovered,
            shifts_recovered,
            drifts_recovered,
            moves_recovered,
            gains_recovered,
            wavelengths_recovered,
        )
        recovered = [row for part in parts for row in part(client, truth)]
        _write(tables / "mission.csv", Recovered, recovered)
        _write(tables / "mission_outliers.csv", Flagged, flagged(client, truth))
        print(f"{len(truth.exposures)} exposures, {client.status().datasets}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("cosmo-mission"),
        help="of everything; what is there stays",
    )
    parser.add_argument(
        "--tables",
        type=Path,
        default=Path("docs/explanation"),
        help="gets mission.csv, decades.csv, and the outliers of both",
    )
    parser.add_argument("--size", default="full", choices=get_args(Size), help="of the mission")
    parser.add_argument("--years", type=float, default=10.0, help="length of the mission")
    parser.add_argument("--seed", type=int, default=5, help="what chance draws from")
    parser.add_argument(
        "--processes",
        type=int,
        default=os.cpu_count() or 1,
        help="that simulate, and that calibrate",
    )
    parser.add_argument(
        "--hours",
        type=float,
        default=math.inf,
        help="to simulate and process, this time; then compare",
    )
    chosen = parser.parse_args(arguments)
    os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})
    mission = Mission(
        years=chosen.years,
        seed=chosen.seed,
        size=chosen.size,
        start=_START,
        faults=_FAULTS,
        routines=_ROUTINES,
        spots=_SPOTS,
        dispersions=_DISPERSIONS,
        changing_plans=True,
    )
    folder = chosen.folder / f"mission-{chosen.size}-{chosen.seed}"
    (folder / REFERENCES).mkdir(parents=True, exist_ok=True)
    data_dir = chosen.folder / f"machine-{chosen.size}-{chosen.seed}"
    _measure_decades(chosen.seed, chosen.folder, chosen.tables)
    deadline = time.monotonic() + 3600.0 * chosen.hours
    if chosen.hours > 0.0:
        with LocalStack(
            data_dir, references=folder / REFERENCES, calibrators=chosen.processes
        ) as machine:
            prepare(machine)
            machine.start_services()
            simulate_into(machine, mission, folder, chosen.processes, deadline)
            with Client(machine.url, machine.token, timeout=TIMEOUT, page_size=PAGE) as client:
                process(machine, client, deadline)
    # Without calibrators, what is not done yet takes nothing from the monitors.
    with LocalStack(data_dir, references=folder / REFERENCES, calibrators=0) as machine:
        prepare(machine)
        machine.start_services()
        _measure(machine, mission, folder, chosen.tables)


if __name__ == "__main__":
    main()
