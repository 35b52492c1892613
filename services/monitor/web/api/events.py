"""Events as they happen: server-sent events that resume after the last id."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.monitor.queries.events import list_events
from services.monitor.response_models.events import EventRecord
from services.monitor.web.dependencies import Context, CurrentContext
from services.monitor.web.error_responses import ApiError
from services.monitor.web.parameters import LONGEST_NAME, RowNumber
from shared.jobs.sequencer import newest_place
from shared.logs import get_logger

__all__ = ["router"]

router = APIRouter(tags=["events"])
_QUIET_SECONDS = 15.0
"""Pause without news after which a stream says so, and looks in any case."""
_BATCH = 500


def _message(event: EventRecord) -> str:
    return f"id: {event.id}\nevent: {event.name}\ndata: {event.model_dump_json()}\n\n"


class _EventStream(StreamingResponse):
    """Messages until the client goes (the server cancels us) or the process is about to end.

    It counts among the open streams from before its first byte until it has ended in whatever way.
    """

    def __init__(self, context: Context, after: int) -> None:
        self._context, self._after = context, after
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__((), media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._context.notices.subscription() as news:
            self.body_iterator = self._messages(news)
            await super().__call__(scope, receive, send)

    async def _messages(self, news: asyncio.Event) -> AsyncIterator[str]:
        after = self._after
        yield "retry: 2000\n\n"
        while not self._context.notices.closing:
            news.clear()
            try:
                async with self._context.database.session() as session:
                    found = await list_events(session, after, _BATCH)
            except Exception as error:  # noqa: BLE001 - the client comes back with the id it has got to
                get_logger().warning("event stream ended", error=str(error))
                return
            for event in found:
                after = event.id
                yield _message(event)
            if len(found) == _BATCH:
                continue  # there may be more
            try:
                await asyncio.wait_for(news.wait(), _QUIET_SECONDS)
            except TimeoutError:
                yield ": nothing new\n\n"


@router.get(
    "/events",
    summary="Server-sent events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream_events(
    context: CurrentContext,
    after: Annotated[
        RowNumber | None,
        Query(description="Id after which to continue; 0: the beginning; default: from now"),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(
            max_length=LONGEST_NAME,
            description="Id of the last event that the client has, as browsers send it by "
            "themselves when they connect again; it goes before `after`",
        ),
    ] = None,
) -> StreamingResponse:
    """Stream what happens from now on, or after an event, until the client goes.

    Server-sent events: each has its ``id``, its name as ``event``, and as ``data`` a JSON object
    with ``id``, ``at``, ``name``, ``rootname``, ``monitor``, ``job_id`` and ``detail``. A client
    that connects again with the id of the last one misses none. 503 where too many streams are
    open.
    """
    start = after
    if last_event_id:
        if not (last_event_id.isascii() and last_event_id.isdigit()):
            raise ApiError(
                400, "bad_value", f"Last-Event-ID is {last_event_id!r}, not the id of an event"
            )
        start = int(last_event_id[:18])
    if start is None:
        async with context.database.session() as session:
            start = await newest_place(session)
    return _EventStream(context, start)
