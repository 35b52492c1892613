"""Child processes forked from a warm template that has CalCOS imported."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from shared.errors import PermanentError, TransientError

__all__ = ["ChildReport", "ChildRun", "warm_up"]

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["services.calibrator.child"])
_POLL_SECONDS = 0.1
_FULL = ("Not enough space on disk", "No space left on device")


@dataclass(frozen=True)
class ChildReport:
    """How a run ended: CalCOS's status, and what it cost (seconds, MB)."""

    status: int
    wall_seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    calcos_version: str


def _nothing() -> None:
    """Start the template without running anything."""


def warm_up() -> None:
    """Start the template, so that the first run finds it warm."""
    process = _CONTEXT.Process(target=_nothing)
    process.start()
    process.join()


@dataclass(frozen=True)
class ChildRun:
    """One run of CalCOS in a child process.

    Attributes
    ----------
    target
        Association table or raw file.
    outdir
        Empty folder for the products.
    lref
        Folder of the reference files.
    memory_limit_mb
        Address space of the child, MB.
    wall_limit_seconds
        Longest time that it may take.
    """

    target: Path
    outdir: Path
    lref: Path
    memory_limit_mb: int
    wall_limit_seconds: float

    @property
    def log(self) -> Path:
        """Everything that CalCOS printed."""
        return self.outdir.parent / "calcos.log"

    async def run(self) -> ChildReport:
        """Run it and wait for its end; a cancelled wait kills it.

        Raises
        ------
        PermanentError
            If CalCOS fails on these inputs.
        TransientError
            If it is killed, runs out of memory, disk or time.
        """
        # calcos is imported by the template and its children alone; this process stays light.
        from services.calibrator.entry import enter

        report = self.outdir.parent / "report.json"
        process = _CONTEXT.Process(
            target=enter,
            args=(str(self.target), str(self.outdir), str(self.lref), self.memory_limit_mb, str(self.log), str(report)),
        )
        process.start()
        started = time.monotonic()
        try:
            while process.is_alive():
                if time.monotonic() - started > self.wall_limit_seconds:
                    raise TransientError(f"CalCOS ran longer than {self.wall_limit_seconds:.0f} s and was stopped")
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            _kill(process)
        if not report.exists():
            raise TransientError(
                f"the CalCOS process was killed ({_exit_text(process.exitcode)}) "
                f"after {time.monotonic() - started:.0f} s; most likely the machine ran out of memory"
            )
        return _judge(json.loads(report.read_text()), self.log)


def _kill(process: BaseProcess) -> None:
    """End the child's process group, and reap it."""
    if process.is_alive() and process.pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
    process.join()


def _exit_text(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit status {code}"
    return signal.Signals(-code).name


def _judge(report: dict[str, Any], log: Path) -> ChildReport:
    error = report.pop("error")
    if error is None:
        return ChildReport(**report)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
    text = f"CalCOS: {error['type']}: {error['message']}".rstrip(": ")
    if error["type"] == "MemoryError" or "MemoryError" in error["type"]:
        raise TransientError(f"{text}; raise COSMO_CALIBRATOR__MEMORY_LIMIT_MB or run fewer workers")
    if any(mark in error["message"] for mark in _FULL):
        raise TransientError(f"{text}; free space in the scratch folder")
    raise PermanentError(f"{text}\nthe end of its log:\n{tail}")
