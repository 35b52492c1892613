"""Client whose methods return results."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from cosmo.client.calls import CHUNK, Call, Model, Pause, Step, Steps, Transfer, Work
from cosmo.client.connection import Connection
from cosmo.client.endpoints import Performer
from cosmo.client.errors import ClientError, api_error
from cosmo.client.events import EventStream
from cosmo.client.operations import Operations
from cosmo.client.pages import Items, turn

__all__ = ["Client"]

T = TypeVar("T")


class Client(Operations, Connection[httpx.Client], Performer):
    """The HTTP API from Python.

    Its parameters are those of `Connection`. It is a context manager, which closes the
    connections, and may be shared by threads.
    """

    def _connect(self, **options: Any) -> httpx.Client:
        return httpx.Client(**options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def perform(self, steps: Steps[T]) -> T:
        """Perform the steps of an operation."""
        flow = iter(steps)
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._take(step)
                except ClientError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def iterate(self, call: Call[Items[T]]) -> Iterator[T]:
        """Iterate over the items of a page and of all that follow it."""
        waiting: Call[Items[T]] | None = call.asking(limit=self.page_size)
        while waiting is not None:
            items, waiting = self.perform(turn(waiting))
            yield from items

    def follow(self, events: EventStream[Model]) -> Iterator[Model]:
        """Iterate over what is sent as it happens."""
        while True:
            ended_by: ClientError | None = None
            try:
                with self._answer(events.call()) as response:
                    for line in response.iter_lines():
                        if (event := events.take(line)) is not None:
                            yield event
            except ClientError as error:
                ended_by = error
            time.sleep(events.pause(ended_by))

    def _take(self, step: Step) -> Any:
        match step:
            case Call():
                return self._send(step)
            case Transfer(call, sink):
                with self._answer(call) as response:
                    sink.begin(response)
                    for chunk in response.iter_raw():
                        sink.write(chunk)
            case Pause(seconds):
                time.sleep(seconds)
            case Work(function):
                return function()
        return None

    def _send(self, call: Call[object]) -> httpx.Response:
        """Send a call, again where that helps."""
        for attempt in count(1):
            try:
                with self._answer(call) as response:
                    response.read()
                    return response
            except ClientError as error:
                if (pause := self.retry.pause(call, attempt, error)) is None:
                    raise
            time.sleep(pause)
        raise AssertionError("a call ends with an answer or an error")

    @contextmanager
    def _answer(self, call: Call[object]) -> Iterator[httpx.Response]:
        """Send a call, and give its answer, of which only the head has been read."""
        content = None if call.upload is None else _chunks(call.upload)
        with (
            self._translated(call),
            closing(self._http.send(self._request(call, content), stream=True)) as response,
        ):
            if not response.is_success:
                response.read()
                raise api_error(str(call), response)
            yield response


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk
