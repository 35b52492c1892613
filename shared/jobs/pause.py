"""The pause of a worker whose environment is in trouble, or of its jobs of one source.

It takes no such job until a while has passed, then tries one.
"""

import asyncio
from datetime import timedelta

from shared.jobs.due import retry_pause
from shared.logs import get_logger
from shared.settings import JobSettings

__all__ = ["Pause"]

_FORGET_SECONDS = 60.0
"""After which trouble that no job met again is over."""


class Pause:
    """Pauses, each longer than the last one up to a limit, until a job ends without trouble.

    Parameters
    ----------
    settings
        Length of the first pause.
    source
        The source whose jobs alone pause; None where all do.
    """

    def __init__(self, settings: JobSettings, source: str | None = None) -> None:
        self._settings = settings
        self._logged = {} if source is None else {"source": source}
        self._reason: str | None = None
        self._count = 0
        self._until = 0.0
        self._stopped = asyncio.Event()

    def begin(self, reason: str) -> timedelta:
        """Pause because of trouble; returns for how long."""
        self._count += 1
        length = retry_pause(self._settings, self._count)
        self._reason, self._until = (
            reason,
            asyncio.get_running_loop().time() + length.total_seconds(),
        )
        seconds = round(length.total_seconds(), 1)
        get_logger().error("paused", reason=reason, seconds=seconds, **self._logged)
        return length

    def end(self) -> None:
        """Go on, since a job met no trouble."""
        if self._reason is not None:
            get_logger().info("the problem is over", was=self._reason, **self._logged)
        self._reason, self._count, self._until = None, 0, 0.0

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._stopped.set()

    @property
    def left(self) -> float:
        """Time until the pause is over, seconds; none where it is not positive."""
        return self._until - asyncio.get_running_loop().time()

    async def over(self) -> None:
        """Wait until the pause is over."""
        while (left := self.left) > 0 and not self._stopped.is_set():
            try:
                await asyncio.wait_for(self._stopped.wait(), left)
            except TimeoutError:
                continue

    def trouble(self, *, busy: bool) -> str | None:
        """Return why it pauses, or last did while it is busy with the job that tries.

        None where all is well.
        """
        recent = asyncio.get_running_loop().time() < self._until + _FORGET_SECONDS
        return self._reason if busy or recent else None
