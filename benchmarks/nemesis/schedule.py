"""The schedule of faults: drawn from a seed, so that a run that broke something can be repeated."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["BELOW", "PROCESSES", "Fault", "Kind", "draw_faults"]

PROCESSES: Final = (
    *("up", "postgres", "valkey"),
    *("archive", "calibrator", "ingestor", "monitor-worker", "monitor"),
)
"""Processes of ``cosmo up``, itself included."""
BELOW: Final = "/*"
"""After the name of a process: one of those below it, such as a backend of Postgres or a run of
CalCOS.
"""


class Kind(StrEnum):
    """What happens to a target."""

    KILL = "kill"
    """SIGKILL."""
    RESTART = "restart"
    """The signal that asks it to stop."""
    PAUSE = "pause"
    """SIGSTOP for it and all below it, and SIGCONT."""
    FULL = "full"
    """Its disk takes nothing more."""
    CLOCK = "clock"
    """The clock of Postgres jumps, and jumps back."""
    DISCONNECT = "disconnect"
    """All connections to it are ended."""


_TARGETS: Final[dict[Kind, Sequence[str]]] = {
    Kind.KILL: (*PROCESSES, f"postgres{BELOW}", f"calibrator{BELOW}"),
    Kind.RESTART: PROCESSES,
    Kind.PAUSE: PROCESSES,
    Kind.FULL: ("store", "data"),
    Kind.CLOCK: ("-7200s", "+7200s"),
    Kind.DISCONNECT: ("postgres", "valkey"),
}


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes
    ----------
    at
        When it begins, seconds from the start of the run.
    kind
        What happens.
    target
        To what: a process, a disk, or how far a clock jumps.
    length
        After how many seconds it ends, where it is not over at once.
    draw
        Number from 0 to 1 that chooses between several processes of the target.
    """

    at: float
    kind: Kind
    target: str
    length: float
    draw: float


def draw_faults(seed: int, seconds: float, pause: float, longest: float) -> list[Fault]:
    """Draw the faults of a run: every kind at every target comes before one comes again.

    Parameters
    ----------
    seed
        Of everything that is drawn.
    seconds
        Time in which faults begin and end.
    pause
        Seconds between the beginnings of two faults, on average.
    longest
        Longest fault, seconds.
    """
    chance = random.Random(seed)
    pairs = [(kind, target) for kind, targets in _TARGETS.items() for target in targets]
    found: list[Fault] = []
    at = 0.0
    while True:
        for kind, target in chance.sample(pairs, len(pairs)):
            at += chance.uniform(0.5, 1.5) * pause
            length = chance.uniform(0.2, 1.0) * longest
            if at + length > seconds:
                return found
            found.append(Fault(at, kind, target, length, chance.random()))
