"""Tells the open event streams of this process, and what is kept in it, that there are new
events.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from services.monitor.web.error_responses import ApiError
from shared.database.engine import Database
from shared.jobs.sequencer import PLACED, WRITTEN
from shared.logs import get_logger
from shared.tasks import end_task

__all__ = ["EventFeed"]

_RETRY_SECONDS = 2.0
_HEARTBEAT_SECONDS, _ANSWER_SECONDS = 5.0, 5.0
"""Pause between two checks of the connection, and longest wait for an answer: one that was cut off
looks like one on which nothing happens."""
_MAX_SUBSCRIBERS = 200


class EventFeed:
    """One ``LISTEN`` connection for all streams of the process.

    While it is down, streams are woken now and then, since notifications are lost.

    Parameters
    ----------
    database
        Database that the events are written to.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscribers: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening = False
        self._notification_count = 0
        self.closing = False

    @property
    def notification_count(self) -> int | None:
        """Number that grows with every notification; None while notifications may be lost."""
        return self._notification_count if self._listening else None

    @contextlib.contextmanager
    def subscription(self) -> Iterator[asyncio.Event]:
        """Event that is set whenever there may be something new, or the process is about to end.

        Raises
        ------
        ApiError
            503 if too many streams are open.
        """
        if len(self._subscribers) >= _MAX_SUBSCRIBERS:
            raise ApiError(
                503,
                "too_many_streams",
                f"{_MAX_SUBSCRIBERS} event streams are open; try again later",
            )
        news = asyncio.Event()
        self._subscribers.add(news)
        try:
            yield news
        finally:
            self._subscribers.discard(news)

    def _count(self, *_notification: Any) -> None:
        self._notification_count += 1

    def wake(self, *_notification: Any) -> None:
        """Make every stream look for events."""
        self._count()
        for news in self._subscribers:
            news.set()

    def close(self) -> None:
        """End every stream."""
        self.closing = True
        self.wake()

    def close_soon(self) -> None:
        """End every stream; may be called from a signal handler."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.close)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen in the background for the length of a block."""
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            self.close()
            await end_task(task)

    async def _listen(self) -> None:
        while True:
            try:
                await self._hold()
            except Exception as error:  # noqa: BLE001 - streams look until the connection is back
                get_logger().warning("not listening for events; streams poll", error=str(error))
            self.wake()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _hold(self) -> None:
        """Listen until the connection breaks, or answers nothing any more."""
        lost = asyncio.Event()
        async with self._database.direct() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None  # noqa: S101 - an open connection has one
            raw.add_termination_listener(lambda _connection: lost.set())
            await raw.add_listener(PLACED, self.wake)
            # What is kept depends on events that have no place in the feed yet, too.
            await raw.add_listener(WRITTEN, self._count)
            try:
                self.wake()
                self._listening = True
                while True:
                    try:
                        await asyncio.wait_for(lost.wait(), _HEARTBEAT_SECONDS)
                    except TimeoutError:
                        await raw.execute("SELECT 1", timeout=_ANSWER_SECONDS)
                    else:
                        return
            finally:
                self._listening = False
