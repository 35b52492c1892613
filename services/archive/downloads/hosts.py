"""Politeness to hosts: downloads at once, and pauses that a host asks for."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from services.archive.downloads.errors import StoppedError

__all__ = ["Hosts"]

_POLL_SECONDS = 0.2
"""Longest time for which a wait does not notice that it is to stop."""


class _Host:
    """Connections of one host, and the time before which it wants no request."""

    def __init__(self, connections: int) -> None:
        self.free = threading.Semaphore(connections)
        self.resume_at = 0.0  # monotonic, seconds


class Hosts:
    """Hosts that this process downloads from.

    Parameters
    ----------
    connections
        Most downloads at once from one host.
    """

    def __init__(self, connections: int) -> None:
        self._lock = threading.Lock()
        self._hosts: defaultdict[str, _Host] = defaultdict(lambda: _Host(connections))

    def _host(self, name: str) -> _Host:
        with self._lock:
            return self._hosts[name]

    @contextmanager
    def slot(self, name: str, stop: threading.Event) -> Iterator[None]:
        """Wait until one more download from a host may begin.

        Raises
        ------
        StoppedError
            If asked to stop meanwhile.
        """
        host = self._host(name)
        while not host.free.acquire(timeout=_POLL_SECONDS):
            if stop.is_set():
                raise StoppedError
        try:
            while (left := host.resume_at - time.monotonic()) > 0:
                if stop.wait(left):
                    raise StoppedError
            yield
        finally:
            host.free.release()

    def pause(self, name: str, seconds: float) -> None:
        """Let no further download from a host begin before a time has passed."""
        host = self._host(name)
        host.resume_at = max(host.resume_at, time.monotonic() + seconds)
