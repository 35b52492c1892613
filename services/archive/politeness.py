"""What servers may expect of COSMO: a name, pauses after failures, a rate."""

import random
import threading
import time
from typing import Final

from shared import __version__

__all__ = ["LONGEST_RETRY_AFTER_SECONDS", "USER_AGENT", "Pace", "pause_after"]

USER_AGENT: Final = f"COSMO/{__version__}"

LONGEST_RETRY_AFTER_SECONDS: Final = 120.0
"""A server that asks to wait for longer is left to whoever tries the whole work again."""

_LONGEST_PAUSE_SECONDS: Final = 30.0


def pause_after(failures: int, first: float) -> float:
    """Return the pause after some failures in succession, seconds, with jitter.

    Parameters
    ----------
    failures
        How many.
    first
        Pause after the first, second; doubles each time, up to 30 s.
    """
    longest = first * 2.0 ** max(failures - 1, 0)
    return min(longest, _LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


class Pace:
    """Rate of requests, whichever threads send them.

    Parameters
    ----------
    rate
        Most requests a second.
    """

    def __init__(self, rate: float) -> None:
        self._gap = 1.0 / rate
        self._lock = threading.Lock()
        self._next = 0.0  # monotonic, seconds

    def wait(self) -> None:
        """Wait until the next request may be sent."""
        with self._lock:
            moment = max(self._next, time.monotonic())
            self._next = moment + self._gap
        time.sleep(max(0.0, moment - time.monotonic()))
