"""Demonstration: a simulated mission in the four services, whose pages stay open."""

import asyncio
import contextlib
import json
import shutil
import threading
import time
from collections.abc import Iterator
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
from cosmo.cli.local_run import (
    CONSOLE,
    DONE,
    add_reports,
    prepare,
    raw_files,
    report,
    scan_once,
    tabulate,
    wait_for_stop,
)
from cosmo.cli.options import DataDir, Port, Seed
from cosmo.client import Client
from cosmo.launcher.stack import LocalStack
from shared.control_groups import usable_cores
from shared.errors import PermanentError, TransientError
from simulator.archive.server import running_archive
from simulator.mission.make import DATA, REFERENCES, REPORTS, simulate
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
    from_archive: Annotated[
        bool,
        typer.Option(
            "--from-archive",
            help="Let an archive serve the mission over HTTP, as MAST does, from which the "
            "services discover and fetch it.",
        ),
    ] = False,
    serve: Annotated[bool, typer.Option(help="Leave the pages open at the end.")] = True,
    port: Port = 0,
    data_dir: DataDir = Path("cosmo-demo"),
) -> None:
    """Run a small simulated mission through the four services, and keep the pages open."""
    cores = usable_cores()
    mission, folder = Mission(seed=seed, size=size), data_dir / f"mission-{size}-{seed}"
    if not (folder / TRUTH_NAME).exists():  # what is left of an attempt goes
        shutil.rmtree(folder, ignore_errors=True)
    CONSOLE.print(f"starting Postgres, Valkey and the four services in {data_dir} ...")
    with contextlib.ExitStack() as stack:
        settings = _from(stack.enter_context(_archive(folder))) if from_archive else {}
        machine = stack.enter_context(
            LocalStack(
                data_dir,
                references=folder / REFERENCES,
                calibrators=cores,
                port=port,
                settings=settings,
            )
        )
        prepare(machine)
        machine.start_services()
        CONSOLE.print(f"the pages are at [bold]{machine.url}[/bold]; they show the progress")
        with Client(machine.url, machine.token) as client:
            _process(machine, client, mission, folder, from_archive=from_archive)
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


@contextlib.contextmanager
def _archive(folder: Path) -> Iterator[str]:
    """Serve what is simulated as MAST does; gives the address."""
    (folder / DATA).mkdir(parents=True, exist_ok=True)
    with running_archive(folder / DATA) as url:
        CONSOLE.print(f"the mission's archive is at [bold]{url}[/bold]")
        yield url


def _from(url: str) -> dict[str, str]:
    """Return the settings with which the services look for everything in an archive."""
    return {
        "COSMO_ARCHIVE__SOURCES": "mast",
        "COSMO_ARCHIVE__MAST_URL": url,
        "COSMO_ARCHIVE__WANTED": json.dumps({"everything": True}),
        "COSMO_ARCHIVE__SCAN_SECONDS": "2",
        "COSMO_ARCHIVE__SHORT_LISTING_SECONDS": "2",
        "COSMO_ARCHIVE__CATALOGUE_PAUSE_SECONDS": "5",
    }


def _process(
    machine: LocalStack, client: Client, mission: Mission, folder: Path, *, from_archive: bool
) -> None:
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
        reported, scanned, silent = False, 0.0, 0
        arrival = _Arrival(machine, folder) if from_archive else None
        try:
            while True:
                landed, visits = simulation.done(), progress.tasks[observatory].completed
                if visits and not reported:
                    _add_reports(machine, client, folder / REPORTS)
                    reported = True
                if visits > scanned and arrival is None:
                    asyncio.run(scan_once(machine.environment, str(folder / DATA)))
                    scanned = visits
                try:
                    busy, silent = _show(client, progress, services), 0
                except TransientError:
                    busy, silent = True, silent + 1
                    if silent > _PATIENCE:
                        raise
                if landed and not busy and (arrival is None or arrival.is_over()):
                    return simulation.result()
                report(machine)
                time.sleep(_POLL_SECONDS)
        finally:
            stop.set()


def _add_reports(machine: LocalStack, client: Client, folder: Path) -> None:
    """Add the schedule reports that are not there yet."""
    known = {report.rootname for report in client.datasets(kind="schedule")}
    new = [path for path in sorted(folder.iterdir()) if path.stem not in known]
    asyncio.run(add_reports(machine.environment, new))


class _Arrival:
    """What of the mission has come from its archive.

    Parameters
    ----------
    machine
        COSMO on this machine.
    folder
        Folder of the mission.
    """

    def __init__(self, machine: LocalStack, folder: Path) -> None:
        self._machine, self._folder = machine, folder
        self._missing: set[str] | None = None
        self._polls = 0

    def is_over(self) -> bool:
        """Return whether all has come, or nothing more for long."""
        names = {path.name for path in (self._folder / DATA).rglob("*.fits*")}
        missing = names - asyncio.run(raw_files(self._machine.environment))
        self._polls = self._polls + 1 if missing == self._missing else 0
        self._missing = missing
        return not missing or self._polls > _PATIENCE


def _simulate(
    mission: Mission, folder: Path, progress: Progress, task: TaskID, stop: threading.Event
) -> None:
    """Simulate the mission until it ends or shall stop, unless that was done here before."""
    if (folder / TRUTH_NAME).exists():
        progress.update(task, description="simulated before", completed=1, total=1)
        return
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
