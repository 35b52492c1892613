"""Differences between plain and accelerated CalCOS on the same files."""

import asyncio
import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.calibrator.acceleration import NAMES
from services.calibrator.calcos.contract import ChildRun
from services.calibrator.calcos.process import Child

__all__ = ["Outcome", "compare", "run_both"]

_MEMORY_MB = 8192
_SECONDS = 900.0
_CARD = 80
_DATED = re.compile(rb"(DATE|FITSDATE|ITERDATE) +=")
"""Header cards that say when a file was written."""
_TIMES = re.compile(r"(Begin|End|elapsed time|\d\d-\w{3}-\d{4}) .*")
"""Lines of trailers that say when CalCOS ran."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended and what it left.

    Attributes
    ----------
    status
        What CalCOS returned; None if an exception ended it.
    error_type, error
        Of that exception.
    signal
        That ended its process.
    files
        Checksums of what it left, dates aside, by name.
    cpu_seconds
        What it took.
    """

    status: int | None
    error_type: str
    error: str
    signal: str | None
    files: Mapping[str, str]
    cpu_seconds: float


def run_both(
    target: Path, references: Path, folder: Path, arguments: Mapping[str, Any], processes: int = 1
) -> tuple[Outcome, Outcome]:
    """Run CalCOS without its replacements, then with all of them; `folder` is removed at the end.

    Parameters
    ----------
    target
        Association table, raw or corrected file.
    references
        Folder of the reference files.
    folder
        Where both runs write, one after the other under the same name.
    arguments
        Keyword arguments of ``calcos.calcos``.
    processes
        How many the accelerated run may use.
    """
    plain = _run(target, references, folder, arguments, frozenset(NAMES), 1)
    return plain, _run(target, references, folder, arguments, frozenset(), processes)


def compare(plain: Outcome, fast: Outcome, processes: int = 1) -> list[str]:
    """List the differences of two outcomes; empty for none.

    After an exception, processes side by side may have written more than one after the other; what
    they left is not compared then, since it is thrown away.
    """
    found = [
        f"{name}: {getattr(plain, name)} plain, {getattr(fast, name)} accelerated"
        for name in ("status", "error_type", "error", "signal")
        if getattr(plain, name) != getattr(fast, name)
    ]
    if plain.status is None and processes > 1:
        return found
    names = sorted(plain.files.keys() | fast.files.keys())
    return found + [
        f"{name} differs" for name in names if plain.files.get(name) != fast.files.get(name)
    ]


def _run(
    target: Path,
    references: Path,
    folder: Path,
    arguments: Mapping[str, Any],
    without: frozenset[str],
    processes: int,
) -> Outcome:
    outdir = folder / "out"
    shutil.rmtree(folder, ignore_errors=True)
    outdir.mkdir(parents=True)

    async def wait() -> Any:
        child = Child(
            ChildRun(
                target,
                outdir,
                references,
                _MEMORY_MB,
                _SECONDS,
                without,
                processes,
                arguments=arguments,
            )
        )
        await child.wait()
        return child.end()

    result = asyncio.run(wait())
    files = {path.name: _checksum(path) for path in sorted(outdir.iterdir()) if path.is_file()}
    shutil.rmtree(folder)
    return Outcome(
        result.status, result.error_type, result.error, result.signal, files, result.cpu_seconds
    )


def _checksum(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".tra":
        content = _TIMES.sub(r"\1", content.decode(errors="replace")).encode()
    else:
        for match in list(_DATED.finditer(content)):
            if match.start() % _CARD == 0:
                content = content[: match.start()] + content[match.start() + _CARD :]
    return hashlib.sha256(content).hexdigest()
