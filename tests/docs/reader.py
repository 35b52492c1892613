"""What a reader of a page does: its commands, run as they stand, and its files, written."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.checkout import ROOT

__all__ = ["DOCS", "follow", "steps_of", "write_run"]

DOCS = ROOT / "docs"

_DIRECTIVE = re.compile(
    r"^( *)\.\. (code-block|literalinclude):: (\S+)\n((?:\1   :\w+:.*\n)*)((?:\1   .*\n|\n)*)",
    re.MULTILINE,
)
_CAPTION = re.compile(r":caption: (\S+)")
_SECONDS = 300.0
_RUN = """#!/bin/sh
case $1 in
    test) shift; exec python -m pytest -p no:cacheprovider "$@" ;;
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
        Lines of the output, in their order; three dots stand for anything.
    path, content
        The file.
    """

    command: str = ""
    expected: tuple[str, ...] = ()
    path: str = ""
    content: str = ""


def steps_of(page: Path) -> Iterator[Step]:
    """Read the commands and the files with a caption of a page, in their order."""
    for _, directive, argument, options, content in _DIRECTIVE.findall(page.read_text() + "\n"):
        text = textwrap.dedent(content).strip("\n") + "\n"
        caption = _CAPTION.search(options)
        if directive == "literalinclude" and caption:
            yield Step(path=caption[1], content=(page.parent / argument).read_text())
        elif argument == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, *expected = part.strip().replace("\\\n", "").split("\n")
                yield Step(command, tuple(expected))
        elif caption:
            yield Step(path=caption[1], content=text)


def write_run(folder: Path) -> None:
    """Write a script ``run`` into the folder of a reader."""
    (folder / "run").write_text(_RUN)
    (folder / "run").chmod(0o755)


def follow(
    page: Path,
    folder: Path,
    replaced: Mapping[str, str],
    otherwise: Mapping[str, Callable[[], object]] | None = None,
    *,
    code: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Do what a page says.

    Parameters
    ----------
    page
        The page.
    folder
        Where the reader is.
    replaced
        Texts that are something else in the test, such as the address of the pages.
    otherwise
        What is done in the place of a command of the page.
    code
        Checkout whose code the commands run.
    environment
        Variables that the reader has set.
    """
    otherwise = otherwise or {}
    variables = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(code),
        "COLUMNS": "200",
        **(environment or {}),
    }
    steps = list(steps_of(page))
    assert otherwise.keys() <= {step.command for step in steps}
    for step in steps:
        if step.path:
            (folder / step.path).write_text(_replace(step.content, replaced))
        elif step.command in otherwise:
            otherwise[step.command]()
        else:
            _run(step, folder, variables, replaced)


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
    assert ran.returncode == 0, (step.command, ran.stdout, ran.stderr)
    left = " ".join(ran.stdout.split())
    for text in (part for line in step.expected for part in line.split("...") if part.strip()):
        _, found, left = left.partition(" ".join(text.split()))
        assert found, (step.command, text, ran.stdout)


def _replace(text: str, replaced: Mapping[str, str]) -> str:
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text
