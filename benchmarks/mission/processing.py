"""Simulation of a mission with processing at the same time, resumed where it was stopped."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from cosmo.cli.local_run import scan_once
from cosmo.client import Client
from cosmo.launcher.stack import LocalStack
from shared.errors import TransientError
from simulator.mission.make import DATA, simulate
from simulator.mission.schedule import Mission
from simulator.truth import TRUTH_NAME

__all__ = ["SETTINGS", "TIMEOUT", "compute", "process", "simulate_into"]

SETTINGS = {
    "COSMO_CALIBRATOR__KEEP": "corrtag*,x1d*,lampflash",
    "COSMO_API__STATEMENT_TIMEOUT": "600",
    "COSMO_JOBS__LEASE_SECONDS": "600",
    "COSMO_MONITOR__QUIET_SECONDS": "1e6",
    "COSMO_MONITOR__LONGEST_WAIT_SECONDS": "1e6",
    "COSMO_MONITOR__LOOK_SECONDS": "120",
}
"""Of the services: images, which no monitor reads, are not kept.

Monitors run once, when all is there, and do not look
for new rows all the time before; long timeouts allow for a machine that is busy otherwise."""

TIMEOUT = 900.0
"""Seconds that an answer may take."""

_SCAN_SECONDS = 120.0
"""Between two scans, which take seconds when most files are there."""

_POLL_SECONDS = 5.0
_SETTLED_SECONDS = 20.0
"""A monitor that asked for another run of itself has begun it by then."""


def simulate_into(
    machine: LocalStack, mission: Mission, folder: Path, jobs: int, deadline: float
) -> None:
    """Simulate what is not there yet, and have the services process it meanwhile.

    Parameters
    ----------
    machine
        Its services run.
    mission, folder, jobs
        As in `simulator.mission.make.simulate`.
    deadline
        Time, of `time.monotonic`, after which no further visit is begun.
    """
    scanned = 0.0
    if not (folder / TRUTH_NAME).exists():
        with contextlib.closing(simulate(mission, folder, jobs=jobs)) as visits:
            for visit, done, total in visits:
                print(
                    f"simulated: {done} of {total} visits, {visit.kind} {visit.name}",
                    end="\r",
                    flush=True,
                )
                if time.monotonic() - scanned > _SCAN_SECONDS:
                    asyncio.run(scan_once(machine.environment, str(folder / DATA)))
                    scanned = time.monotonic()
                machine.check()
                if time.monotonic() > deadline:
                    break
        print()
    asyncio.run(scan_once(machine.environment, str(folder / DATA)))


def process(machine: LocalStack, client: Client, deadline: float) -> None:
    """Wait until no job waits or runs, or the deadline (time of `time.monotonic`) has passed."""

    def done() -> bool:
        status = client.status()
        print(status.datasets, status.jobs, end="\r", flush=True)
        return time.monotonic() > deadline or not any(
            status.jobs.get(state) for state in ("queued", "running")
        )

    _wait(machine, done)
    print()


def compute(machine: LocalStack, client: Client, name: str) -> None:
    """Run a monitor, as often as it asks for itself."""

    def newest() -> object:
        run = client.monitor(name).last_run
        return run and run.id

    known, since = newest(), None

    def settled() -> bool:
        nonlocal known, since
        found = newest()
        if found != known:
            known, since = found, time.monotonic()
        return since is not None and time.monotonic() - since > _SETTLED_SECONDS

    client.compute(name)
    _wait(machine, settled)


def _wait(machine: LocalStack, done: Callable[[], bool]) -> None:
    while True:
        machine.check()
        try:
            if done():
                return
        except TransientError as error:
            print(f"\n{error}")
        time.sleep(_POLL_SECONDS)
