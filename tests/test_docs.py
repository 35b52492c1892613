"""Documentation against the code: nothing is left out, and nothing is named that is not there."""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

import pytest
from pydantic import BaseModel

from cosmo.cli import admin as setup
from cosmo.cli import archive, check, demo, ingest, new, query, recalibration, simulate
from cosmo.cli import local as machine
from docs._ext import GENERATED
from docs._ext.monitors import write_monitors
from services.monitor.monitors import monitors
from services.monitor.web.app import create_app
from shared.database.models.science import DERIVED_TABLES, SCIENCE_TABLES
from shared.settings import Settings

_ROOT = Path(__file__).parents[1]
_DOCS = _ROOT / "docs"
_WRITTEN_BY_THE_BUILD = {f"reference/monitors/{name}.rst" for name in monitors()}
_PAGES = sorted(
    path
    for page in _DOCS.rglob("*.rst")
    if (path := page.relative_to(_DOCS).as_posix()) not in _WRITTEN_BY_THE_BUILD
    and not path.startswith("_build")
)
_MARKDOWN = sorted(f"../{page.name}" for page in _ROOT.glob("*.md"))
_PACKAGES = ("benchmarks", "cosmo", "docs", "services", "shared", "simulator", "tests")
_FOLDERS = (*_PACKAGES, "deploy", "requirements")
_MOST_COLUMNS = 100


@lru_cache
def _generated(name: str) -> str:
    return "\n".join(GENERATED[name]())


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
    assert f".. envvar:: {variable}\n" in _generated("settings")


_COMMANDS = [
    command.__name__
    for part in (demo, machine, query, recalibration, check, setup)
    for command in part.COMMANDS
]
_COMMANDS += [f"simulate {command.__name__}" for command in simulate.COMMANDS]
_GROUPS = ("archive", "ingest", "simulate", "new")
_COMMANDS += [f"archive {command.__name__}" for command in archive.COMMANDS]
_COMMANDS += [f"ingest {command.__name__}" for command in ingest.COMMANDS]
_COMMANDS += [f"new {command.__name__}" for command in new.COMMANDS]


@pytest.mark.parametrize("command", _COMMANDS)
def test_commands(command: str) -> None:
    assert f".. program:: cosmo {command}\n" in _generated("command-line")


def test_every_option_says_what_it_is_for() -> None:
    options = re.findall(r"\.\. option:: (.+)\n\n   (.*)\n", _generated("command-line"))
    assert len(options) > 100
    assert not [name for name, said in options if not said or said.startswith(("Def", "Req"))]


def test_endpoints() -> None:
    text = _generated("http-api")
    paths = create_app(Settings()).openapi()["paths"]
    assert len(paths) > 15
    for path, methods in paths.items():
        for method in methods:
            assert f"``{method.upper()} {path.removeprefix('/api/v1')}``" in text


@pytest.mark.parametrize("name", [*SCIENCE_TABLES, *DERIVED_TABLES, "files"])
def test_tables(name: str) -> None:
    text = _generated("tables")
    assert f".. _table-{name}:" in text
    if name != "files":
        listed = f":ref:`{name} <table-{name}>`" in _text("reference/tables.rst")
        assert listed or name in DERIVED_TABLES, f"the page does not say which files fill {name}"


def test_monitors(tmp_path: Path) -> None:
    methods = _DOCS / "reference" / "methods"
    write_monitors(tmp_path, methods)
    assert {page.stem for page in tmp_path.iterdir()} == set(monitors())
    assert {page.stem for page in methods.iterdir()} <= set(monitors())
    for name, monitor in monitors().items():
        text = (tmp_path / f"{name}.rst").read_text()
        for quantity in monitor.quantities:
            assert f"``{quantity}``" in text
        for rule in monitor.rules:
            assert f"``{rule.name}``" in text


def _text(page: str) -> str:
    return (_DOCS / page).read_text()


@pytest.mark.parametrize("page", [*_PAGES, *_MARKDOWN])
def test_lines_are_short(page: str) -> None:
    for number, line in enumerate(_text(page).splitlines(), 1):
        row_of_a_table = page.endswith(".md") and line.startswith("|")
        assert len(line) <= _MOST_COLUMNS or row_of_a_table, f"{page}:{number}"


def _literals(page: str) -> Iterator[str]:
    """Find what a page has in backquotes, and the lines of its blocks of code."""
    text = _text(page)
    if page.endswith(".md"):
        blocks = re.compile(r"^```.*?\n(.*?)^```", re.DOTALL | re.MULTILINE)
        lines = [line for block in blocks.findall(text) for line in block.splitlines()]
        quoted = re.findall(r"`([^`]+)`", blocks.sub("", text))
    else:
        lines = [line for line in text.splitlines() if line.startswith("    ")]
        quoted = re.findall(r"``([^`]+)``", text)
    yield from (" ".join(found.split()) for found in quoted)
    yield from (line.strip().removeprefix("$ ").split("  #")[0] for line in lines)


def _written_by_readers(page: str) -> set[str]:
    """Name the files that a page has its readers write, and those that its commands write."""
    text = _text(page)
    found = set(re.findall(r"^\.\. literalinclude:: examples/\w+/(\S+)", text, re.MULTILINE))
    found |= set(re.findall(r":caption: (\S+)", text))
    monitors = "services/monitor/monitors"
    for name in re.findall(r"(?:cosmo|\./run) new monitor ([a-z-]+)", text):
        package = name.replace("-", "_")
        found |= {
            f"{monitors}/{package}/monitor.py",
            f"tests/{monitors}/{package}/test_{package}.py",
        }
        found.add(f"docs/reference/methods/{name}.rst")
    if "sphinx-build" in text:
        found.add("docs/_build/html")
    return found


@pytest.mark.parametrize("page", [*_PAGES, *_MARKDOWN])
def test_files_that_are_named_exist(page: str) -> None:
    written = _written_by_readers(page)
    for word in (word for literal in _literals(page) for word in literal.split()):
        path = word.partition("::")[0]
        if re.fullmatch(rf"({'|'.join(_FOLDERS)})/[\w./-]+", path):
            assert (_ROOT / path).exists() or path in written, path


@pytest.mark.parametrize("page", [*_PAGES, *_MARKDOWN])
def test_code_that_is_named_exists(page: str) -> None:
    for literal in _literals(page):
        for found in re.finditer(
            rf"(?:python -m )?\b((?:{'|'.join(_PACKAGES)})\.[\w.]*\w)", literal
        ):
            name = found[1]
            if found[0] != name or find_spec(name.split(".")[0]) is None:
                assert find_spec(name) is not None, literal
            elif literal == name and not (_ROOT / name).exists():
                resolve_name(name)


@lru_cache
def _options() -> dict[str, set[str]]:
    """Options of each command, by its name."""
    found: dict[str, set[str]] = {}
    for part in _generated("command-line").split(".. program:: ")[1:]:
        name = part.split("\n", 1)[0]
        found[name] = set(re.findall(r"(?<=[ ,])(--[\w-]+)", " ".join(_option_lines(part))))
    return found


def _option_lines(part: str) -> list[str]:
    return re.findall(r"\.\. option::.*", part)


@pytest.mark.parametrize("page", [*_PAGES, *_MARKDOWN])
def test_commands_that_are_named_exist(page: str) -> None:
    """With their options, in prose and in blocks of code."""
    for literal in _literals(page):
        found = re.fullmatch(
            r"(?:\./run|cosmo) ((?:archive |ingest |simulate |new )?[a-z]+)\b(.*)", literal
        )
        if found is None or found[1] in ("test", "tool", "archive", "ingest", "simulate", "new"):
            continue
        assert f"cosmo {found[1]}" in _options(), literal
        used = set(re.findall(r"(?<!\S)(--[\w-]+)", found[2]))
        assert used <= _options()[f"cosmo {found[1]}"] | {"--help"}, literal


@pytest.mark.parametrize("page", [*_PAGES, *_MARKDOWN])
def test_addresses_that_are_named_exist(page: str) -> None:
    paths = _operations()
    for literal in _literals(page):
        if found := re.fullmatch(r"(GET|POST|DELETE) (/[^ ?]*)(\?.*)?", literal):
            assert (found[1].lower(), found[2].removeprefix("/api/v1")) in paths, literal


@lru_cache
def _operations() -> set[tuple[str, str]]:
    """List method and path of every operation."""
    return {
        (method, path.removeprefix("/api/v1"))
        for path, methods in create_app(Settings()).openapi()["paths"].items()
        for method in methods
    }


_MARKDOWN_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)")


@pytest.mark.parametrize("page", _PAGES)
def test_pages_that_are_linked_exist(page: str) -> None:
    for found in re.finditer(r":doc:`(?:[^`<]*<)?([^`>]+)>?`", _text(page)):
        start = _DOCS if found[1].startswith("/") else (_DOCS / page).parent
        assert (start / f"{found[1].lstrip('/')}.rst").exists(), found[1]


@pytest.mark.parametrize("page", _MARKDOWN)
def test_files_that_markdown_links_to_exist(page: str) -> None:
    for link in _MARKDOWN_LINK.findall(_text(page)):
        assert (_ROOT / link).exists(), link
