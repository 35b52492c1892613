"""Server-sent events, and how a stream of them goes on after it broke."""

from typing import Generic

from cosmo.client.calls import Call, Model, parse
from cosmo.client.errors import ClientError, NoAnswerError
from cosmo.client.retries import Retry

__all__ = ["EventStream"]

_SILENCE_SECONDS = 60.0
"""Silence after which a stream is opened again; the service says something every 15 s."""


class EventStream(Generic[Model]):
    """Stream that goes on after the last event that was read, however often it breaks.

    Parameters
    ----------
    path
        Address of the stream.
    model
        What each event is.
    retry
        How often it is opened again in succession.
    after
        Id of the event to go on after; None for what happens from now on.
    """

    def __init__(
        self, path: str, model: type[Model], retry: Retry, after: int | None = None
    ) -> None:
        self._path, self._model, self._retry = path, model, retry
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

    def take(self, line: str) -> Model | None:
        """Take a line; give the event that it completes.

        The fields are those of the HTML standard, 9.2.6, of which COSMO sends ``id``, ``event``,
        ``data`` and ``retry``.
        """
        self._failures = 0
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

    def _complete(self) -> Model | None:
        data, self._data = self._data, []
        if not data:
            return None
        event = parse(self._model, "\n".join(data), f"GET {self._path}")
        self._last = self._id or self._last
        return event

    def pause(self, error: ClientError | None) -> float:
        """Return the seconds until it is opened again.

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
