"""Every setting, command and endpoint is documented."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from cosmo.cli import admin as setup
from cosmo.cli import check, demo, ingest, new, query, recalibration, simulate
from cosmo.cli import local as machine
from services.monitor.monitors import monitors
from services.monitor.web.app import create_app
from shared.settings import Settings

_DOCS = Path(__file__).parents[1] / "docs"


def _variables(model: type[BaseModel], prefix: str) -> list[str]:
    found: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += _variables(kind, f"{prefix}{name.upper()}__")
        else:
            found.append(f"{prefix}{name.upper()}")
    return found


@pytest.mark.parametrize("variable", _variables(Settings, "COSMO_"))
def test_settings(variable: str) -> None:
    assert f"``{variable}``" in (_DOCS / "settings.rst").read_text()


_COMMANDS = [
    command.__name__
    for part in (demo, machine, query, recalibration, check, setup)
    for command in part.COMMANDS
]
_COMMANDS += [f"simulate {command.__name__}" for command in simulate.COMMANDS]
_COMMANDS += [f"new {command.__name__}" for command in new.COMMANDS]


@pytest.mark.parametrize("command", _COMMANDS)
def test_commands(command: str) -> None:
    assert f"``{command}``" in (_DOCS / "operations.rst").read_text()


@pytest.mark.parametrize("command", [command.__name__ for command in ingest.COMMANDS])
def test_ingest_commands(command: str) -> None:
    assert f"``cosmo ingest {command}``" in (_DOCS / "ingest.rst").read_text()


def test_endpoints() -> None:
    text = (_DOCS / "api.rst").read_text()
    paths = create_app(Settings()).openapi()["paths"]
    assert len(paths) > 15
    for path, methods in paths.items():
        for method in methods:
            assert f"``{method.upper()} {path.removeprefix('/api/v1')}``" in text


@pytest.mark.parametrize("name", monitors())
def test_monitors(name: str) -> None:
    assert f"``{name}``" in (_DOCS / "monitors.rst").read_text()
