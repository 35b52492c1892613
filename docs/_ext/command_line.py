"""Reference of the command line, from its typer application."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

import typer

from cosmo.cli.app import app
from docs._ext.markup import heading, literal, prose, target

__all__ = ["command_line"]


def command_line() -> Iterator[str]:
    """Describe every command with its arguments and options."""
    for name, command in _commands("cosmo", typer.main.get_command(app)):
        yield from target(name.replace(" ", "-"))
        yield from heading(literal(name), "-")
        yield from (f".. program:: {name}", "")
        arguments = [found for found in command.params if found.param_type_name == "argument"]
        options = [found for found in command.params if found.param_type_name == "option"]
        usage = " ".join([name, *map(_argument, arguments), *(["[OPTIONS]"] if options else [])])
        yield from (f"``{usage}``", "", prose(command.help), "")
        for argument in arguments:
            yield from (f".. option:: {_argument(argument)}", "", f"   {_meaning(argument)}", "")
        for option in options:
            yield from (f".. option:: {_names(option)}", "", f"   {_meaning(option)}", "")


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command that does something, groups of commands opened."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for inner, found in command.commands.items():
        yield from _commands(f"{name} {inner}", found)


def _argument(argument: Any) -> str:
    many = " ..." if argument.nargs == -1 else ""
    return f"{argument.name.upper()}{many}"


def _names(option: Any) -> str:
    if getattr(option, "is_flag", False):
        return ", ".join([*option.opts, *option.secondary_opts])
    return ", ".join(f"{name} <{_metavar(option)}>" for name in option.opts)


def _metavar(option: Any) -> str:
    kind = option.type_descriptor.annotation
    return str(option.metavar or getattr(kind, "__name__", "text")).lower()


def _choices(option: Any) -> list[str]:
    kind = option.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(found.value) for found in kind]
    return [str(found) for found in get_args(kind) if isinstance(found, str)]


def _meaning(parameter: Any) -> str:
    """Help of a parameter with its choices, its default and its variable."""
    said = [prose(getattr(parameter, "help", None)) or "Required."]
    if choices := _choices(parameter):
        said.append(f"One of {', '.join(map(literal, choices))}.")
    default = parameter.default
    if isinstance(parameter.show_default, str):
        said.append(f"Default: {parameter.show_default}.")
    elif default not in (None, False, True) and not callable(default):
        said.append(f"Default: {literal(default)}.")
    if variable := getattr(parameter, "envvar", None):
        said.append(f"Also {literal(variable)} of the environment.")
    return " ".join(said)
