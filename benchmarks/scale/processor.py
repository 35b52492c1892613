"""Time of the processor, which other work on a machine hardly changes."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["Meter"]

_NANOSECONDS = 1e9


class Meter:
    """Processor time of some processes and of all below another.

    Parameters
    ----------
    processes
        Numbers of the processes.
    server
        Number of the process of Postgres, of whose sessions each is a process below it.
    """

    def __init__(self, processes: Iterable[int], server: int) -> None:
        self._processes, self._server = list(processes), psutil.Process(server)
        self._used: dict[int, float] = {}

    def seconds(self) -> float:
        """Return what was used until now, by processes that have ended as far as it was seen."""
        self._look()
        return sum(self._used.values())

    def read(self) -> tuple[float, float]:
        """Return what was used until now, and what of it the sessions of Postgres used."""
        every, own = self.seconds(), set(self._processes)
        return every, sum(used for number, used in self._used.items() if number not in own)

    def _look(self) -> None:
        sessions = (child.pid for child in self._server.children())
        for number in (*self._processes, *sessions):
            self._used[number] = max(self._used.get(number, 0.0), _of_process(number))


def _of_process(number: int) -> float:
    """Sum the times of the threads of a process, seconds, from what the scheduler says of them."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return sum(_of_threads(Path(f"/proc/{number}/task").iterdir()))
    return 0.0


def _of_threads(folders: Iterable[Path]) -> Iterable[float]:
    for folder in folders:
        with suppress(FileNotFoundError, ProcessLookupError):
            yield int((folder / "schedstat").read_text().split()[0]) / _NANOSECONDS
