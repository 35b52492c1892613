"""Events as they happen: server-sent events that resume after the last id."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import func, select

from services.monitor.context import CurrentContext
from services.monitor.errors import ApiError
from shared.database.engine import Database
from shared.database.models.operations import Dataset, Event

__all__ = ["router"]

router = APIRouter(tags=["events"])
_POLL_SECONDS = 0.5
_KEEPALIVE_ROUNDS = 30
_BATCH = 500


async def _stream(request: Request, database: Database, after: int) -> AsyncIterator[str]:
    quiet = 0
    yield "retry: 2000\n\n"
    while not await request.is_disconnected():
        async with database.session() as session:
            query = select(Event, Dataset.rootname).join(Dataset).where(Event.id > after).order_by(Event.id)
            found = (await session.execute(query.limit(_BATCH))).all()
        for event, rootname in found:
            after = event.id
            body = {
                "id": event.id,
                "at": event.at.isoformat(),
                "name": event.name,
                "rootname": rootname,
                "detail": event.detail,
            }
            yield f"id: {event.id}\nevent: {event.name}\ndata: {json.dumps(body)}\n\n"
        quiet = 0 if found else quiet + 1
        if quiet and quiet % _KEEPALIVE_ROUNDS == 0:
            yield ": nothing new\n\n"
        if len(found) < _BATCH:
            await asyncio.sleep(_POLL_SECONDS)


@router.get("/events", summary="Server-sent events", response_class=StreamingResponse)
async def stream_events(
    request: Request,
    context: CurrentContext,
    after: Annotated[int | None, Query(description="Id to go on after; 0 is the beginning; default: from now")] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Stream what happens from now on, or from after an id."""
    start = after
    if last_event_id is not None:
        if not last_event_id.isdigit():
            raise ApiError(400, "bad_value", f"Last-Event-ID is {last_event_id!r}, not the id of an event")
        start = int(last_event_id)
    if start is None:
        async with context.database.session() as session:
            start = (await session.execute(select(func.coalesce(func.max(Event.id), 0)))).scalar_one()
    stream = _stream(request, context.database, start)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
