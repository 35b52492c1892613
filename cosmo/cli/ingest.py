"""Commands about the science tables."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cosmo.cli.api import database_and_store, with_database
from cosmo.cli.options import DataDir, Json, References
from services.ingestor.inventory import describe as describe_files
from services.ingestor.inventory import forget as forget_file
from services.ingestor.manual import add_file
from services.ingestor.repopulation import Progress as Done
from services.ingestor.repopulation import abandon
from services.ingestor.repopulation import repopulate as repopulate_tables
from shared.control_groups import usable_cores
from shared.database.models.science import SCIENCE_TABLES
from shared.errors import PermanentError
from shared.remote_references import open_references
from shared.settings import get_settings
from shared.store import Store

__all__ = ["COMMANDS"]

_DEFAULT_DIR = Path("cosmo-data")

T = TypeVar("T")


def add(
    files: Annotated[list[Path], typer.Argument(help="Files to add.")],
    data_dir: DataDir = _DEFAULT_DIR,
) -> None:
    """Add reports, cumulative images, dark rates, telemetry, products of the archive.

    A bad file keeps no other out.
    """
    database_url, store_url = database_and_store(data_dir)
    store = Store(store_url)
    refused = 0
    for path in files:
        try:
            added = with_database(database_url, partial(add_file, store=store, path=path))
        except PermanentError as error:
            refused += 1
            typer.echo(f"refused: {error}", err=True)
            continue
        typer.echo(
            f"{path.name}: "
            + ", ".join(f"{count} rows of {table}" for table, count in added.rows.items())
        )
        for problem in added.problems:
            typer.echo(f"problem: {problem}", err=True)
    if refused:
        raise PermanentError(
            f"{refused} of {len(files)} files refused; the others are in the tables"
        )


def repopulate(
    table: Annotated[
        list[str] | None, typer.Option(help="Fill this table only; may be repeated.")
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Processes.", min=1, show_default="all cores")
    ] = usable_cores(),
    reread: Annotated[
        bool, typer.Option(help="Read headers from the files even where the database has them.")
    ] = False,
    restart: Annotated[
        bool, typer.Option(help="Discard an unfinished one and start over.")
    ] = False,
    references: References = None,
    data_dir: DataDir = _DEFAULT_DIR,
) -> None:
    """Fill the science tables from the store again.

    Readers see the old content until the new one is complete.
    """
    database_url, store_url = database_and_store(data_dir)
    if restart:
        with_database(database_url, abandon)
    with _progress() as bar:
        task = bar.add_task("datasets", total=None, rate=0.0, faults=0)

        def show(done: Done) -> None:
            bar.update(
                task, total=done.datasets, completed=done.done, rate=done.rate, faults=done.faults
            )

        done = asyncio.run(
            repopulate_tables(
                database_url,
                store_url,
                references or open_references(get_settings().references),
                tables=table or SCIENCE_TABLES,
                workers=workers,
                reread=reread,
                report=show,
            )
        )
    typer.echo(
        f"{done.done} datasets, {done.files} files, {done.rows} rows, {done.faults} problems in "
        f"files"
    )


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.completed}/{task.total} datasets"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:.0f}/s, {task.fields[faults]} problems"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def describe(
    what: Annotated[str, typer.Argument(help="Name of a file, or a rootname.")],
    data_dir: DataDir = _DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Show all that is known of a file, or of every file of a rootname.

    With --json its rows too.
    """
    database_url, _ = database_and_store(data_dir)
    found = with_database(
        database_url, lambda database: describe_files(database, what, rows=as_json)
    )
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for file in found:
        state = "current" if file["current"] else "superseded"
        typer.echo(
            f"{file['path']}/{file['name']}  {file['origin']}, {state}, {file['size']} bytes"
        )
        for problem in file["problems"]:
            typer.echo(f"    problem: {problem}")
        for name, count in file["tables"].items():
            typer.echo(f"    {name:14s} {count} rows")


def forget(
    name: Annotated[str, typer.Argument(help="Name of the file.")],
    data_dir: DataDir = _DEFAULT_DIR,
) -> None:
    """Remove a file and its rows from the database; what is in the store stays."""
    versions = with_database(
        database_and_store(data_dir)[0], lambda database: forget_file(database, name)
    )
    typer.echo(f"{versions} versions of {name} forgotten")


COMMANDS = (add, repopulate, describe, forget)
