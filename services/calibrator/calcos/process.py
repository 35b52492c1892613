"""Child processes forked from a warm template that has CalCOS imported."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from services.calibrator.calcos.contract import ChildRun, RunResult
from shared.control_groups import memory_share
from shared.errors import MemoryShortError, OutageError, PermanentError, TransientError
from shared.metrics import CALCOS_CPU_SECONDS, CALCOS_PEAK_MEMORY, CALCOS_WALL_SECONDS
from shared.operating_system import usage_of

__all__ = ["Child", "exit_status", "sum_up", "warm_up"]

_CONTEXT = multiprocessing.get_context("forkserver")
# A child looks for its function in this module; what the other one finds imported, it freezes.
_CONTEXT.set_forkserver_preload([f"{__package__}.template", __name__, f"{__package__}.child"])
_LOOK_SECONDS = 0.1
"""Pause between two readings of what a run has cost so far."""

_FULL_MEMORY = 0.95
"""Share of the container's memory at which a run is ended, before the system ends the worker."""

_FULL = (
    "Not enough space on disk",
    "No space left on device",
    "Disk quota exceeded",
    "requested and written",
)
"""What astropy and the system say when a disk is full."""

_NO_MEMORY = "Cannot allocate memory"
"""What the system says when a file cannot be mapped for want of address space."""

_OUT_OF_MEMORY = "the memory of the container was used up"

_MEANT = {
    "the band would extend beyond": "a box of the extraction reaches beyond the detector, where "
    "the wavecal or "
    "find_target moved it; move it inwards, or make it lower",
    "array of sample points is empty": "all points of a spectrum are flagged by SDQFLAGS or "
    "without exposure, as those "
    "of a box beside the active area are, so that nothing is left to be summed; move the box",
    "is out of bounds for axis 0 with size 16384": "events lie beyond the last column, where "
    "neither TEMPCORR nor "
    "GEOCORR puts them back, and TRCECORR has no trace there; perform them, or omit TRCECORR and "
    "ALGNCORR with "
    "XTRCTALG=BOXCAR",
}
"""Messages of CalCOS when it stops, and their meaning for the author of a recipe."""


def _nothing() -> None:
    """Start the template without running anything."""


def warm_up() -> None:
    """Start the template, so that the first run finds it warm."""
    process = _CONTEXT.Process(target=_nothing)
    process.start()
    process.join()


def _run_in_child(run: ChildRun, report: Connection) -> None:
    """Run CalCOS in this process, a child, which alone has it imported: a worker stays light."""
    from services.calibrator.calcos.child import run_calcos

    run_calcos(run, report)


class Child:
    """CalCOS at work in a child process, from its start on.

    Parameters
    ----------
    run
        What to run, and its limits.
    """

    def __init__(self, run: ChildRun) -> None:
        self._run = run
        self._receiver, sender = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=_run_in_child, args=(run, sender))
        self._process.start()
        sender.close()
        self._started = time.monotonic()
        self._timed_out, self._short = False, False
        self._cpu, self._peak = 0.0, 0.0

    async def wait(self) -> None:
        """Wait until it ends, its time is up, or the memory of the container is used up."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            while not ended.is_set():
                self._look()
                if memory_share() > _FULL_MEMORY:
                    self._short = True
                    return
                if time.monotonic() - self._started > self._run.wall_limit_seconds:
                    self._timed_out = True
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), _LOOK_SECONDS)
        finally:
            loop.remove_reader(self._process.sentinel)

    def end(self) -> RunResult:
        """Kill it if it still runs, and return how it ended."""
        result = self._end()
        outcome = (
            "late"
            if result.timed_out
            else "failed"
            if result.error_type
            else "killed"
            if result.status is None
            else "done"
        )
        CALCOS_WALL_SECONDS.labels(outcome).observe(result.wall_seconds)
        CALCOS_CPU_SECONDS.inc(result.cpu_seconds)
        CALCOS_PEAK_MEMORY.observe(result.peak_rss_mb * (1 << 20))
        return result

    def _end(self) -> RunResult:
        self._kill()
        wall = time.monotonic() - self._started
        log = self._run.log.read_text(errors="replace") if self._run.log.exists() else ""
        report = self._report()
        if "status" in report:
            return RunResult(signal=None, timed_out=False, log=log, **report)
        code = self._process.exitcode
        number = signal.Signals(-code).name if code is not None and code < 0 else None
        error = ("MemoryError", _OUT_OF_MEMORY) if self._short else ("", "")
        return RunResult(
            None, number, self._timed_out, wall, self._cpu, self._peak, *error, log, **report
        )

    def _look(self) -> None:
        """Read CPU seconds and peak memory.

        The template forks the child, so its counters start with the fork.
        """
        seen = usage_of(self._process.pid) if self._process.pid is not None else None
        if seen is not None:
            self._cpu, self._peak = seen.cpu_seconds, max(self._peak, seen.peak_mb)

    def _kill(self) -> None:
        """End the process group, and reap the process."""
        if self._process.is_alive() and self._process.pid is not None:
            self._look()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
        self._process.join()

    def _report(self) -> dict[str, Any]:
        """Read what the child reported of its start and its end, as far as it got."""
        report: dict[str, Any] = {}
        with contextlib.suppress(EOFError, OSError):
            while self._receiver.poll():
                report |= json.loads(self._receiver.recv_bytes())
        self._receiver.close()
        return report


def sum_up(runs: Sequence[RunResult]) -> RunResult:
    """Put the runs of one calibration together: what all cost and printed, and how the last one
    ended.
    """
    return replace(
        runs[-1],
        wall_seconds=sum(run.wall_seconds for run in runs),
        cpu_seconds=sum(run.cpu_seconds for run in runs),
        peak_rss_mb=max(run.peak_rss_mb for run in runs),
        log="\n".join(run.log for run in runs),
    )


def exit_status(result: RunResult) -> int:
    """Return the status of a run that CalCOS ended by itself, without an exception.

    Parameters
    ----------
    result
        How it ended.

    Raises
    ------
    PermanentError
        If CalCOS failed on these inputs; the message has the end of its log.
    MemoryShortError
        If it ran out of memory.
    TransientError
        If it was killed, or ran out of disk or time.
    """
    if result.timed_out:
        raise TransientError(
            f"CalCOS ran longer than {result.wall_seconds:.0f} s and was stopped\n{result.tail}"
        )
    text = f"CalCOS: {result.error_type}: {result.error}".rstrip(": ")
    if "MemoryError" in result.error_type or _NO_MEMORY in result.error:
        raise MemoryShortError(
            f"{text}; give the container more memory, raise COSMO_CALIBRATOR__MEMORY_LIMIT_MB, or "
            "run fewer workers"
        )
    if any(mark in result.error for mark in _FULL):
        raise OutageError(f"{text}; free space in the scratch folder")
    if result.error_type:
        text += next((f" ({why})" for phrase, why in _MEANT.items() if phrase in result.error), "")
        raise PermanentError(f"{text}\nthe end of its log:\n{result.tail}")
    if result.status is None:
        how = result.signal or "without a message"
        raise TransientError(
            f"the CalCOS process was killed ({how}) after {result.wall_seconds:.0f} s "
            f"with {result.peak_rss_mb:.0f} MB; most likely the machine ran out of memory"
        )
    return result.status
