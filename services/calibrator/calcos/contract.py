"""Messages between a worker and the child that runs CalCOS for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["ChildRun", "RunResult"]

_TRACEBACK = "Traceback (most recent call last):"
_LOG_LINES = 12


@dataclass(frozen=True)
class ChildRun:
    """One run of CalCOS in a child process.

    Attributes
    ----------
    target
        Association table or raw file.
    outdir
        Empty folder for the products; the log goes beside it.
    lref
        Folder of the reference files.
    memory_limit_mb
        Address space of the child and of each of its processes, MB.
    wall_limit_seconds
        Longest time that it may take.
    without
        Names of the replacements in CalCOS that are left out
        (`services.calibrator.acceleration.NAMES`).
    processes
        How many processes it may use.
    images
        Whether any image is kept, so that all must be whole.
    arguments
        Keyword arguments of ``calcos.calcos`` that differ from its defaults.
    """

    target: Path
    outdir: Path
    lref: Path
    memory_limit_mb: int
    wall_limit_seconds: float
    without: frozenset[str] = frozenset()
    processes: int = 1
    images: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Everything that CalCOS printed."""
        return self.outdir.parent / "calcos.log"


@dataclass(frozen=True)
class RunResult:
    """What is known of a run after its end, however that came.

    Attributes
    ----------
    status
        What CalCOS returned; None if it did not return.
    signal
        Name of the signal that ended the process; None if it ended by itself.
    timed_out
        Whether it was stopped at the wall-clock limit.
    wall_seconds, cpu_seconds, peak_rss_mb
        What it cost; of a killed process, as last seen. The peak is that of its largest process.
    error_type, error
        Name and message of the exception that ended CalCOS; empty without one.
    log
        Everything that it printed.
    acceleration
        State of each replacement in CalCOS: PERFORM, OMIT, or SKIPPED and the reason.
    """

    status: int | None
    signal: str | None
    timed_out: bool
    wall_seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    error_type: str
    error: str
    log: str
    acceleration: Mapping[str, str] = field(default_factory=dict)

    @property
    def skipped(self) -> dict[str, str]:
        """Replacements that do not fit the CalCOS that is installed, and why."""
        return {
            name: state for name, state in self.acceleration.items() if state.startswith("SKIPPED")
        }

    @property
    def tail(self) -> str:
        """The last lines that CalCOS printed.

        Those before a traceback, which say what it stopped at, and its end.
        """
        before, traceback, rest = self.log.rpartition(_TRACEBACK)
        printed = "\n".join((before if traceback else rest).splitlines()[-_LOG_LINES:])
        return (
            f"{printed}\n{rest.rstrip().splitlines()[-1]}"
            if traceback and rest.strip()
            else printed
        )
