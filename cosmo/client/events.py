"""Server-sent events, and how a stream of them goes on after it broke."""

from collections.abc import Callable
from typing import Generic

from cosmo.client.calls import Call, T
from cosmo.client.errors import ClientError, NoAnswerError
from cosmo.client.retries import Retry

__all__ = ["EventStream"]

_SILENCE_SECONDS = 60.0
"""Silence after which a stream is opened again; the service says something every 15 s."""


class EventStream(Generic[T]):
    """Stream that goes on after the last event that was read, however often it breaks.

    Parameters
    ----------
    path
        Address of the stream.
    read
        Makes an event of its JSON text.
    retry
        How often it is opened again in succession.
    after
        Id of the event to go on after; None for what happens from now on.
    """

    def __init__(
        self, path: str, read: Callable[[bytes], T], retry: Retry, after: int | None = None
    ) -> None:
        self._path, self._read, self._retry = path, read, retry
        self._last = None if after is None else str(after)
        self._id: str | None = None
        self._data: list[str] = []
        self._failures, self._pause = 0, retry.first_pause

    def call(self) -> Call[None]:
        """Describe the call that opens it."""
        self._id, self._data = None, []
        query = {} if self._last is None else {"after": self._last}
        headers = {"Accept": "text/event-stream"}
        return Call("GET", self._path, lambda _: None, query, headers, timeout=_SILENCE_SECONDS)

    def take(self, line: str) -> T | None:
        """Take a line; give the event that it completes.

        The fields are those of the HTML standard, 9.2.6, of which COSMO sends ``id``, ``event``,
        ``data`` and ``retry``.
        """
        if not line:
            return self._complete()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id":
                self._id = value
            case "data":
                self._data.append(value)
            case "retry" if value.isdigit():
                self._pause = int(value) / 1000
        return None

    def _complete(self) -> T | None:
        data, self._data = self._data, []
        if not data:
            return None
        event = self._read("\n".join(data).encode())
        self._last, self._failures = self._id or self._last, 0
        return event

    def pause(self, error: ClientError | None) -> float:
        """Seconds until it is opened again.

        Parameters
        ----------
        error
            What it ended with; None where the service ended it.

        Raises
        ------
        ClientError
            The error, if opening it again would not help, or did not.
        """
        self._failures += 1
        if error is None:
            return self._pause
        if isinstance(error, NoAnswerError) and self._failures < self._retry.attempts:
            return self._pause
        pause = self._retry.pause(self.call(), self._failures, error)
        if pause is None:
            raise error
        return pause
