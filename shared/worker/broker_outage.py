"""What a process says of a broker that is away: a line when it goes, few more, one when it is back.

Every consumer, the listener for wake-ups and every sender meet it, again and again.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

import redis
from dramatiq.errors import BrokerConnectionError

from shared.logs import get_logger

__all__ = ["AWAY", "BrokerOutage"]

AWAY = (redis.ConnectionError, redis.TimeoutError, BrokerConnectionError)
"""What commands raise while the broker is away."""

_REMIND_SECONDS = 60.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 3.0


class BrokerOutage:
    """Whether the broker is away, as the threads of a process find it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None
        self._reported = 0.0

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Note whether the commands of a block reach the broker; what they raise goes on."""
        try:
            yield
        except AWAY as error:
            self.begin(error)
            raise
        self.end()

    def begin(self, error: Exception) -> None:
        """Note that the broker is away."""
        now = time.monotonic()
        with self._lock:
            first = self._since is None
            self._since = now if self._since is None else self._since
            if not first and now - self._reported < _REMIND_SECONDS:
                return
            self._reported, seconds = now, now - self._since
        get_logger().warning(
            "the broker is away; jobs wait in Postgres", error=str(error), seconds=round(seconds)
        )

    def pause(self) -> float:
        """Return how long to wait before the next try, s: as long as the broker has been away."""
        since = self._since
        away = 0.0 if since is None else time.monotonic() - since
        return min(max(away, _SHORTEST_PAUSE), _LONGEST_PAUSE)

    def end(self) -> None:
        """Note that the broker answers."""
        if self._since is None:  # nearly always
            return
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            get_logger().info("the broker is back", seconds=round(time.monotonic() - since))
