"""Reference of the command line, from its typer application."""

from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Any, Final, get_args, get_origin

import typer

from cosmo.cli.app import app
from docs._ext.markup import heading, literal, prose, target

__all__ = ["command_line"]

_KINDS: Final = {"str": "text", "int": "number", "float": "number", "datetime": "date"}
"""Words for types."""
_MOST_CHOICES: Final = 5
"""Choices that stand in the place of a value's name."""


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


def _kind(option: Any) -> Any:
    """Type of an option's value, or of each value of one that may be given several times."""
    kind = option.type_descriptor.annotation
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _metavar(option: Any) -> str:
    if choices := _choices(option):
        return "|".join(choices) if len(choices) <= _MOST_CHOICES else "choice"
    name = getattr(_kind(option), "__name__", "text").lower()
    return str(option.metavar or _KINDS.get(name, name))


def _choices(option: Any) -> list[str]:
    kind = _kind(option)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(found.value) for found in kind]
    return [str(found) for found in get_args(kind) if isinstance(found, str)]


def _meaning(parameter: Any) -> str:
    """Help of a parameter with its choices, its default and its variable."""
    said = [prose(parameter.help)]
    if len(choices := _choices(parameter)) > _MOST_CHOICES:
        said.append(f"One of {', '.join(map(literal, choices))}.")
    default = parameter.default
    if parameter.required and parameter.param_type_name == "option":
        said.append("Required.")
    elif isinstance(parameter.show_default, str):
        said.append(f"Default: {parameter.show_default}.")
    elif isinstance(default, datetime):
        said.append(f"Default: {literal(default.date())}.")
    elif isinstance(default, bool):
        off = getattr(parameter, "secondary_opts", ())
        said += [f"Default: {literal(parameter.opts[0] if default else off[0])}."] if off else []
    elif default is not None and not callable(default):
        said.append(f"Default: {literal(default)}.")
    if variable := getattr(parameter, "envvar", None):
        said.append(f"Also {literal(variable)} of the environment.")
    return " ".join(said)
