"""The commands, grouped by what they need: the launcher, the database, or the HTTP API."""

from typing import Annotated

import typer

from cosmo.cli import admin as setup
from cosmo.cli import archive, check, demo, ingest, new, query, recalibration, simulate
from cosmo.cli import local as machine
from shared import __version__

__all__ = ["app"]

app = typer.Typer(
    name="cosmo",
    help="Data repository and monitoring system for the Cosmic Origins Spectrograph.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cosmo {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


for module in (demo, machine, query, recalibration, check, setup):
    for command in module.COMMANDS:
        app.command()(command)
app.add_typer(ingest.ingest)
for name, module, summary in (
    ("archive", archive, "See what remote archives have, and fetch it."),
    ("simulate", simulate, "Simulate the observatory."),
    ("new", new, "Begin an extension of COSMO in a checkout."),
):
    group = typer.Typer(help=summary, no_args_is_help=True)
    group.callback()(lambda: None)
    for command in module.COMMANDS:
        group.command()(command)
    app.add_typer(group, name=name)
