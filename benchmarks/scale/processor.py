"""Time of the processor, which other work on a machine hardly changes."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["Meter"]

_NANOSECONDS = 1e9


class Meter:
    """Processor time of a process and of all below another.

    Parameters
    ----------
    process
        Number of the process.
    server
        Number of the process of Postgres, of whose sessions each is a process below it.
    """

    def __init__(self, process: int, server: int) -> None:
        self._process, self._server = process, psutil.Process(server)
        self._used: dict[int, float] = {}

    def seconds(self) -> float:
        """Return what was used until now, by processes that have ended as far as it was seen."""
        sessions = (child.pid for child in self._server.children())
        for number in (self._process, *sessions):
            self._used[number] = max(self._used.get(number, 0.0), _of_process(number))
        return sum(self._used.values())


def _of_process(number: int) -> float:
    """Sum the times of the threads of a process, seconds, from what the scheduler says of them."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return sum(_of_threads(Path(f"/proc/{number}/task").iterdir()))
    return 0.0


def _of_threads(folders: Iterable[Path]) -> Iterable[float]:
    for folder in folders:
        with suppress(FileNotFoundError, ProcessLookupError):
            yield int((folder / "schedstat").read_text().split()[0]) / _NANOSECONDS
