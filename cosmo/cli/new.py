"""Commands that begin what a developer adds to a checkout."""

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from shared.errors import PermanentError

__all__ = ["COMMANDS"]

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_MONITORS = Path("services/monitor/monitors")
_TESTS = Path("tests/services/monitor/monitors")

Checkout = Annotated[
    Path, typer.Option(help="Checkout of COSMO to write into.", show_default="this folder")
]


def monitor(
    name: Annotated[str, typer.Argument(help="Name in addresses, e.g. lamp-flux.")],
    checkout: Checkout = Path(),
) -> None:
    """Write a working monitor, with its test, to be changed into another one."""
    package = _package_of(name)
    _check_free(checkout, name, package)
    targets = {
        "__init__": checkout / _MONITORS / package / "__init__.py",
        "monitor": checkout / _MONITORS / package / "monitor.py",
        "test": checkout / _TESTS / package / f"test_{package}.py",
    }
    words = {
        "name": package.replace("_", "-"),
        "title": package.replace("_", " ").capitalize(),
    }
    templates = files("cosmo.cli") / "templates" / "monitor"
    for template, target in targets.items():
        target.parent.mkdir(exist_ok=True)
        text = (templates / f"{template}.txt").read_text()
        target.write_text(Template(text).substitute(words))
        typer.echo(f"wrote {target}")
    typer.echo(f"run its test: ./run test {targets['test']}")


def _package_of(name: str) -> str:
    package = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(package):
        raise PermanentError(
            f"{name!r} is no name for a monitor: take lower-case letters and digits, words parted "
            "by hyphens, e.g. lamp-flux"
        )
    return package


def _check_free(checkout: Path, name: str, package: str) -> None:
    """Refuse a folder that is no checkout, and a name that is taken."""
    for folder in (_MONITORS, _TESTS):
        if not (checkout / folder).is_dir():
            raise PermanentError(
                f"{checkout.absolute()} is no checkout of COSMO, since it has no {folder}; go to "
                "one, or name it with --checkout"
            )
    declared = f'name="{package.replace("_", "-")}"'
    owners = [
        path.parent for path in (checkout / _MONITORS).rglob("*.py") if declared in path.read_text()
    ]
    taken = [checkout / _MONITORS / package, checkout / _TESTS / package, *owners]
    if found := next((path for path in taken if path.exists()), None):
        raise PermanentError(f"there is a monitor {name} already, in {found}; take another name")


COMMANDS = (monitor,)
