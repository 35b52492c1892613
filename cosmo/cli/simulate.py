"""Commands that simulate the observatory."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cosmo.cli.options import Seed
from shared.control_groups import usable_cores
from shared.errors import PermanentError
from simulator.mission.make import simulate
from simulator.mission.schedule import Mission, Size
from simulator.plan import FaultKind

__all__ = ["COMMANDS"]

_FIRST_DAY: Final = datetime(2016, 3, 30)  # noqa: DTZ001 - as typer reads one
_MJD_EPOCH: Final = datetime(1858, 11, 17, tzinfo=UTC)


def mission(
    out: Annotated[
        Path, typer.Option(help="Folder for data, reference files, schedule reports and the truth.")
    ],
    seed: Seed = 1,
    start: Annotated[datetime, typer.Option(help="First day.", formats=["%Y-%m-%d"])] = _FIRST_DAY,
    years: Annotated[float, typer.Option(help="Length of the schedule.")] = 2.0,
    size: Annotated[
        Size, typer.Option(help="Share of the visits that get files; full: all of them.")
    ] = "small",
    fault: Annotated[
        list[FaultKind] | None,
        typer.Option(help="Fault to simulate, in one exposure each; may be repeated."),
    ] = None,
    routine: Annotated[
        list[str] | None,
        typer.Option(help="Kind of visit to simulate; may be repeated; default: all."),
    ] = None,
    jobs: Annotated[
        int, typer.Option(help="Processes.", min=1, show_default="all cores")
    ] = usable_cores(),
) -> None:
    """Simulate a mission: schedule, raw data, reference files, and the truth behind them."""
    if out.exists() and any(out.iterdir()):
        raise PermanentError(f"{out} is not empty; choose a new folder")
    first = (start.replace(tzinfo=UTC) - _MJD_EPOCH).days
    plan = Mission(
        years, seed, size, float(first), tuple(fault or ()), tuple(routine or Mission.routines)
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("schedule", total=None)
            for visit, done, total in simulate(plan, out, jobs=jobs):
                progress.update(
                    task, description=f"{visit.kind} {visit.name}", completed=done, total=total
                )
    except ValueError as error:
        raise PermanentError(str(error)) from error
    typer.echo(f"{out}: data, references, crds, sms and truth.json")


def archive(
    folder: Annotated[
        Path, typer.Argument(help="Folder of COS data, real or simulated.", show_default=False)
    ],
    port: Annotated[
        int, typer.Option(help="Port of this machine; 0 chooses a free one.", min=0, max=65535)
    ] = 8090,
    faults: Annotated[
        Path | None, typer.Option(help="File of rules by which requests fail.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Catalogue entries without files.", min=0)] = 0,
) -> None:
    """Serve a folder as MAST, its copy on S3, CADC and CRDS, until Ctrl-C.

    Every request is printed: method, path, range, status, bytes of the reply, faults.
    """
    # Other commands do without an HTTP server.
    from simulator.archive.faults import read_rules
    from simulator.archive.server import ArchiveServer

    rules = read_rules(faults) if faults else ()
    server = ArchiveServer(folder, port=port, rules=rules, rows=rows, report=typer.echo)
    typer.echo(f"{folder} is served at {server.url}; Ctrl-C stops it")
    with suppress(KeyboardInterrupt):
        server.run()


COMMANDS = (archive, mission)
