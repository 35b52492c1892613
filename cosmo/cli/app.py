"""The commands, each of which is imported when it is used.

Together they import nearly all of COSMO, which takes longer than most of them.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any, Final, cast

import typer
from typer.core import TyperGroup

from shared import __version__

__all__ = ["app"]

_COMMANDS: Final = {
    "demo": ("demo",),
    "local": ("up", "run"),
    "query": ("status", "datasets", "show", "failures", "requeue", "drop", "force", "audit"),
    "recalibration": ("recalibrate", "cancel", "promote", "compare", "lightcurve", "upload"),
    "check": ("check",),
    "admin": ("config", "migrate"),
}
"""Commands by their module."""
_GROUPS: Final = {
    "ingest": "Manage the science tables and the files that they were read from.",
    "archive": "See what remote archives have, and fetch it.",
    "simulate": "Simulate the observatory.",
    "new": "Begin an extension of COSMO in a checkout.",
}
"""Modules whose commands are a group of that name, with its summary."""


class _OnDemand(Mapping[str, Any]):
    """The commands by name, made when they are asked for."""

    def __init__(self) -> None:
        self._modules = {name: module for module, names in _COMMANDS.items() for name in names}
        self._modules |= {name: name for name in _GROUPS}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name, self._modules[name])
        return self._made[name]

    def _make(self, name: str, module: str) -> Any:
        functions = import_module(f"cosmo.cli.{module}").COMMANDS
        if name not in _GROUPS:
            functions = [function for function in functions if function.__name__ == name]
        made = typer.Typer(name=name, help=_GROUPS.get(name), add_completion=False)
        if name in _GROUPS:
            made.callback(no_args_is_help=True)(lambda: None)
        for function in functions:
            made.command()(function)
        return typer.main.get_command(made)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


class _Group(TyperGroup):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = cast("dict[str, Any]", _OnDemand())


app = typer.Typer(
    name="cosmo",
    cls=_Group,
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
