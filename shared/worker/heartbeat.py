"""Heartbeat of a process: when each of its parts was last seen alive."""

import asyncio
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime

__all__ = ["Heartbeat"]

_BEAT_SECONDS = 1.0
_LOOP_SECONDS = 30.0
"""Silence after which the event loop counts as blocked; it is many times that of a busy one."""
_LOOP = "the event loop"


class Heartbeat:
    """Signs of life of the event loop of a process, of threads that report, and of others that may
    not end.

    May be asked from any thread.
    """

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        self._longest: dict[str, float] = {}
        self._threads: dict[str, threading.Thread] = {}

    def beat(self, part: str, longest_silence: float) -> None:
        """Note that a part of the process is alive.

        Parameters
        ----------
        part
            Its name.
        longest_silence
            Seconds in which it beats again if it is well.
        """
        self._seen[part], self._longest[part] = time.monotonic(), longest_silence

    def watch(self, threads: Iterable[tuple[str, threading.Thread]]) -> None:
        """Count the end of any of some threads as a fault, whatever they do meanwhile.

        Parameters
        ----------
        threads
            Each with its name, the same as that by which it beats, if it does.
        """
        self._threads = dict(threads)

    def forget(self) -> None:
        """Watch nothing but the event loop from here on, since the rest is about to end."""
        self._threads = {}
        self._longest = {part: self._longest[part] for part in self._longest if part == _LOOP}

    async def keep_beating(self) -> None:
        """Beat for the event loop, and see which threads live, until cancelled."""
        while True:
            self.beat(_LOOP, _LOOP_SECONDS)
            for name, thread in list(self._threads.items()):
                # One that beats says itself when it was last alive.
                if thread.is_alive() and name not in self._longest:
                    self._seen[name] = time.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)

    def fault(self) -> str | None:
        """Name what is silent, and say since when; None where all parts are well."""
        now = time.monotonic()
        silent = {
            part: "is silent"
            for part, longest in list(self._longest.items())
            if now - self._seen[part] > longest
        }
        silent |= {
            name: "ended" for name, thread in list(self._threads.items()) if not thread.is_alive()
        }
        return "; ".join(self._describe(*found, now) for found in silent.items()) or None

    def _describe(self, part: str, what: str, now: float) -> str:
        seconds = now - self._seen.get(part, now)
        seen = datetime.fromtimestamp(time.time() - seconds, UTC)
        return f"{part} {what}, last seen {seconds:.0f} s ago at {seen:%Y-%m-%dT%H:%M:%SZ}"
