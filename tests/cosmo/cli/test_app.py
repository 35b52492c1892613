"""The commands as the command line finds them."""

import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

import typer

import cosmo.cli
from cosmo.cli.app import app


def _commands(command: object) -> dict[str, object]:
    return dict(getattr(command, "commands", {}))


def test_every_command_of_every_module_is_there() -> None:
    root = _commands(typer.main.get_command(app))
    single = {name for name, command in root.items() if not _commands(command)}
    groups = {name: set(_commands(command)) for name, command in root.items()}
    found = {
        module.name: {function.__name__ for function in commands}
        for module in iter_modules(cosmo.cli.__path__)
        if (commands := getattr(import_module(f"cosmo.cli.{module.name}"), "COMMANDS", ()))
    }
    assert len(found) > 8
    for name, functions in found.items():
        assert functions <= single or functions == groups[name], name
    assert len(single) == sum(len(names) for name, names in found.items() if not groups.get(name))


def test_only_what_is_used_is_imported() -> None:
    code = (
        "import sys; from cosmo.cli import main; sys.argv = ['cosmo', '--version']\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted({'sqlalchemy', 'numpy', 'astropy', 'httpx'} & {*sys.modules}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[1:] == ["[]"]
