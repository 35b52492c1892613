"""Commands of tutorials, run as a reader would run them."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "TUTORIALS", "follow", "steps_of", "write_run"]

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / "docs" / "tutorials"

_BLOCK = re.compile(
    r"^\.\. code-block:: (console|python)\n((?:   :\w+:.*\n)*)\n((?:   .*\n|\n)+)", re.MULTILINE
)
_CAPTION = re.compile(r":caption: (\S+)")
_SECONDS = 300.0
_RUN = """#!/bin/sh
case $1 in
    tool) shift; exec "$@" ;;
    *) exec python -m cosmo "$@" ;;
esac
"""
"""What ``run`` does once the environment is made."""


@dataclass(frozen=True)
class Step:
    """A command with the texts that its output has, or a file that the reader writes.

    Attributes
    ----------
    command
        Command line; empty for a file.
    expected
        Texts of the output, in their order.
    path, content
        The file.
    """

    command: str = ""
    expected: tuple[str, ...] = ()
    path: str = ""
    content: str = ""


def steps_of(page: Path) -> Iterator[Step]:
    """Read the commands and the files with a caption of a page, in their order."""
    for kind, options, content in _BLOCK.findall(page.read_text() + "\n"):
        text = textwrap.dedent(content).strip("\n") + "\n"
        if kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, *expected = part.strip().replace("\\\n", "").split("\n")
                yield Step(command, tuple(expected))
        elif caption := _CAPTION.search(options):
            yield Step(path=caption[1], content=text)


def write_run(folder: Path) -> None:
    """Write a script ``run`` into the folder of a reader."""
    (folder / "run").write_text(_RUN)
    (folder / "run").chmod(0o755)


def follow(
    page: Path,
    folder: Path,
    replaced: Mapping[str, str],
    done: frozenset[str] = frozenset(),
    *,
    checkout: Path = ROOT,
) -> None:
    """Do what a tutorial says.

    Parameters
    ----------
    page
        The tutorial.
    folder
        Where the reader is.
    replaced
        Texts that are something else in the test, such as the address of the pages.
    done
        Commands of the page that a fixture has run.
    checkout
        Code that the commands run.
    """
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "200",
    }
    steps = list(steps_of(page))
    assert done <= {step.command for step in steps}
    for step in steps:
        if step.path:
            (folder / step.path).write_text(_replace(step.content, replaced))
        elif step.command not in done:
            _run(step, folder, environment, replaced)


def _run(
    step: Step, folder: Path, environment: Mapping[str, str], replaced: Mapping[str, str]
) -> None:
    ran = subprocess.run(
        _replace(step.command, replaced),
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    assert ran.returncode == 0, (step.command, ran.stderr)
    left = " ".join(ran.stdout.split())
    for text in step.expected:
        _, found, left = left.partition(" ".join(text.split()))
        assert found, (step.command, text, ran.stdout)


def _replace(text: str, replaced: Mapping[str, str]) -> str:
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text
