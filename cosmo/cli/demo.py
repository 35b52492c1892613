"""Demonstration: a simulated mission in the four services, whose pages stay open."""

import asyncio
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from cosmo.cli.demo_report import places_to_look, recovered
from cosmo.cli.local_run import CONSOLE, DONE, prepare, report, scan_once, tabulate, wait_for_stop
from cosmo.cli.options import DataDir, Port, Seed
from cosmo.client import Client
from cosmo.launcher.stack import LocalStack
from shared.control_groups import usable_cores
from shared.errors import PermanentError, TransientError
from simulator.mission.make import DATA, REFERENCES, simulate
from simulator.mission.schedule import Mission
from simulator.truth import TRUTH_NAME

__all__ = ["COMMANDS"]

_POLL_SECONDS: Final = 1.0
_PATIENCE: Final = 60
"""Polls in a row that may stay without an answer, while the web process starts again."""


def demo(
    size: Annotated[
        Literal["small", "large"],
        typer.Option(help="Small: about 50 datasets; large: six times as many."),
    ] = "small",
    seed: Seed = 1,
    serve: Annotated[bool, typer.Option(help="Leave the pages open at the end.")] = True,
    port: Port = 0,
    data_dir: DataDir = Path("cosmo-demo"),
) -> None:
    """Run a small simulated mission through the four services, and keep the pages open."""
    cores = usable_cores()
    mission, folder = Mission(seed=seed, size=size), data_dir / f"mission-{size}-{seed}"
    CONSOLE.print(f"starting Postgres, Valkey and the four services in {data_dir} ...")
    with LocalStack(
        data_dir, references=folder / REFERENCES, calibrators=cores, port=port
    ) as machine:
        prepare(machine)
        machine.start_services()
        CONSOLE.print(f"the pages are at [bold]{machine.url}[/bold]; they show the progress")
        with Client(machine.url, machine.token) as client:
            _process(machine, client, mission, folder)
            rows = list(client.datasets())
            truth = json.loads((folder / TRUTH_NAME).read_text())
            Console().print(recovered(client, truth))
            typer.echo(places_to_look(machine.url, truth, folder, client.monitors()))
        wrong = [row for row in rows if row.state not in DONE]
        if wrong:
            Console().print(tabulate(wrong))
        if serve:
            CONSOLE.print(
                f"pages and API: [bold]{machine.url}[/bold]; Ctrl-C stops COSMO, and the same "
                f"command starts it again"
            )
            wait_for_stop(machine)
    if wrong:
        raise PermanentError(
            f"{len(wrong)} of {len(rows)} datasets were not processed: see the reasons above"
        )


def _process(machine: LocalStack, client: Client, mission: Mission, folder: Path) -> None:
    """Simulate the mission, and let the services work on the visits that are complete."""
    columns = (
        TextColumn("{task.fields[what]:12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
    )
    with (
        Progress(*columns, TimeElapsedColumn(), console=CONSOLE) as progress,
        ThreadPoolExecutor(1) as pool,
    ):
        observatory, services = (
            progress.add_task("", what=what, total=None) for what in ("observatory", "services")
        )
        stop = threading.Event()
        simulation = pool.submit(_simulate, mission, folder, progress, observatory, stop)
        scanned, silent = 0.0, 0
        try:
            while True:
                landed, visits = simulation.done(), progress.tasks[observatory].completed
                if visits > scanned:
                    asyncio.run(scan_once(machine.environment, str(folder / DATA)))
                    scanned = visits
                try:
                    busy, silent = _show(client, progress, services), 0
                except TransientError:
                    busy, silent = True, silent + 1
                    if silent > _PATIENCE:
                        raise
                if landed and not busy:
                    return simulation.result()
                report(machine)
                time.sleep(_POLL_SECONDS)
        finally:
            stop.set()


def _simulate(
    mission: Mission, folder: Path, progress: Progress, task: TaskID, stop: threading.Event
) -> None:
    """Simulate the mission until it ends or shall stop, unless that was done here before.

    What is left of an attempt goes.
    """
    if (folder / TRUTH_NAME).exists():
        progress.update(task, description="simulated before", completed=1, total=1)
        return
    shutil.rmtree(folder, ignore_errors=True)
    for visit, done, total in simulate(mission, folder):
        progress.update(task, description=f"{visit.kind} {visit.name}", completed=done, total=total)
        if stop.is_set():
            return


def _show(client: Client, progress: Progress, task: TaskID) -> bool:
    """Show the progress of the services; return whether they are working."""
    status = client.status()
    states = status.datasets
    waiting = ", ".join(
        f"{count} {state}" for state, count in sorted(states.items()) if state not in DONE
    )
    done = sum(states.get(state, 0) for state in DONE)
    progress.update(task, description=waiting, completed=done, total=sum(states.values()) or None)
    return any(status.jobs.get(state) for state in ("queued", "running"))


COMMANDS = (demo,)
