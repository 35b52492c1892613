"""Client whose methods are awaited."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from cosmo.client.calls import CHUNK, Call, Model, Pause, Step, Steps, Transfer, Work
from cosmo.client.connection import Connection
from cosmo.client.endpoints import AsyncPerformer
from cosmo.client.errors import ClientError, api_error
from cosmo.client.events import EventStream
from cosmo.client.operations import Operations
from cosmo.client.pages import Items, turn

__all__ = ["AsyncClient"]

T = TypeVar("T")


class AsyncClient(Operations, Connection[httpx.AsyncClient], AsyncPerformer):
    """The HTTP API from programs with an event loop.

    Its parameters are those of `Connection`, and its methods those of `Client`: results are
    awaited, and lists are iterated over by ``async for``. It is an asynchronous context manager,
    which closes the connections.
    """

    def _connect(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(**options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def perform(self, steps: Steps[T]) -> T:
        """Perform the steps of an operation."""
        flow = iter(steps)
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._take(step)
                except ClientError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def iterate(self, call: Call[Items[T]]) -> AsyncIterator[T]:
        """Iterate over the items of a page and of all that follow it."""
        waiting: Call[Items[T]] | None = call.asking(limit=self.page_size)
        while waiting is not None:
            items, waiting = await self.perform(turn(waiting))
            for item in items:
                yield item

    async def follow(self, events: EventStream[Model]) -> AsyncIterator[Model]:
        """Iterate over what is sent as it happens."""
        while True:
            ended_by: ClientError | None = None
            try:
                async with self._answer(events.call()) as response:
                    async for line in response.aiter_lines():
                        if (event := events.take(line)) is not None:
                            yield event
            except ClientError as error:
                ended_by = error
            await asyncio.sleep(events.pause(ended_by))

    async def _take(self, step: Step) -> Any:
        match step:
            case Call():
                return await self._send(step)
            case Transfer(call, sink):
                async with self._answer(call) as response:
                    sink.begin(response)
                    async for chunk in response.aiter_raw():
                        await asyncio.to_thread(sink.write, chunk)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Work(function):
                return await asyncio.to_thread(function)
        return None

    async def _send(self, call: Call[object]) -> httpx.Response:
        """Send a call, again where that helps."""
        for attempt in count(1):
            try:
                async with self._answer(call) as response:
                    await response.aread()
                    return response
            except ClientError as error:
                if (pause := self.retry.pause(call, attempt, error)) is None:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("a call ends with an answer or an error")

    @asynccontextmanager
    async def _answer(self, call: Call[object]) -> AsyncIterator[httpx.Response]:
        """Send a call, and give its answer, of which only the head has been read."""
        content = None if call.upload is None else _chunks(call.upload)
        with self._translated(call):
            response = await self._http.send(self._request(call, content), stream=True)
            async with aclosing(response):
                if not response.is_success:
                    await response.aread()
                    raise api_error(str(call), response)
                yield response


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as stream:
        while chunk := await asyncio.to_thread(stream.read, CHUNK):
            yield chunk
