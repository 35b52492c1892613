"""Supervision: a child that ended by itself is started again, after pauses that grow while it keeps
ending.
"""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from shared.errors import CosmoError

__all__ = ["Supervised"]

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_SETTLED_SECONDS: Final = 60.0
"""After which a child counts as started well, and its next end as the first one."""


class Supervised:
    """A child process that is to run.

    Parameters
    ----------
    name
        What reports call it.
    log
        File with its output.
    launch
        Starts it, without waiting.

    Attributes
    ----------
    process
        The child, running or ended; None before the first start.
    """

    def __init__(self, name: str, log: Path, launch: Callable[[], subprocess.Popen[bytes]]) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self._log = log
        self._launch = launch
        self._started = 0.0
        self._ends = 0
        self._due: float | None = None

    @property
    def running(self) -> bool:
        """Whether the child runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the child."""
        self.process = self._launch()
        self._started = time.monotonic()

    def adopt(self, process: subprocess.Popen[bytes] | None) -> None:
        """Take over a child that was started otherwise."""
        self.process, self._started = process, time.monotonic()

    def check(self) -> str | None:
        """Start the child again if it has ended and its pause is over.

        Returns
        -------
        str or None
            What is to be reported; None where nothing happened.
        """
        now = time.monotonic()
        if self.process is None or self.running:
            return None
        if self._due is None:
            self._ends = 1 if now - self._started > _SETTLED_SECONDS else self._ends + 1
            status = self.process.returncode
            how = f"with {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
            return self._postpone(f"{self.name} ended {how}")
        if now < self._due:
            return None
        try:
            self.start()
        except (CosmoError, OSError) as error:
            self._ends += 1
            return self._postpone(f"{self.name} could not be started ({error})")
        self._due = None
        return f"{self.name} started again as process {self.process.pid}"

    def _postpone(self, what: str) -> str:
        pause = min(_FIRST_PAUSE * 2.0 ** (self._ends - 1), _LONGEST_PAUSE)
        self._due = time.monotonic() + pause
        times = f", {self._ends} times in a row" if self._ends > 1 else ""
        return f"{what}{times}; it is started again in {pause:.0f} s, and its log is {self._log}"
