"""Answers about monitors, kept until a run, an alert or an acknowledgement changes them."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.notices import Notices
from shared.database.models.monitoring import MonitorRun
from shared.database.models.operations import Event

__all__ = ["Answers"]

_MOST = 512
_LARGEST, _MOST_BYTES = 2_000_000, 64_000_000
"""Bytes of an answer that is worth keeping, and of all that are kept."""
_MINUTE = 60.0
"""Data grow stale by the clock, so that no answer is kept for longer, s."""


@dataclass(frozen=True)
class _Answer:
    version: str
    body: bytes
    headers: dict[str, str]

    def response(self) -> Response:
        """Make a response: what carries it to the client may add to its headers."""
        return Response(self.body, headers=self.headers)


class Answers:
    """The newest answers of this process, by address; the ones asked for last are kept.

    Parameters
    ----------
    notices
        Tells that there may be something new; while it does, the database is asked only then.
    """

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._kept: OrderedDict[str, _Answer] = OrderedDict()
        self._bytes = 0
        self._newest: tuple[int | None, str] = (None, "")

    async def give(
        self,
        request: Request,
        session: AsyncSession,
        make: Callable[[], Awaitable[Any]],
        response: Response | None = None,
    ) -> Response:
        """Answer a request: not at all where the client has it, as before where nothing changed, else anew.

        Parameters
        ----------
        request
            The request; its whole address says what is asked for.
        session
            Session of the request.
        make
            Makes the answer: a response, of which a stream is not kept, or what becomes JSON.
        response
            Response whose headers ``make`` sets.
        """
        version = await self._version(session)
        # The same address is answered in the format that is asked for.
        key = f"{request.url} {request.headers.get('accept', '')}"
        headers = {"ETag": f'W/"{sha256((key + version).encode()).hexdigest()[:32]}"', "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        known = self._kept.get(key)
        if known is not None and known.version == version:
            self._kept.move_to_end(key)
            return known.response()
        made = await make()
        answer = made if isinstance(made, Response) else JSONResponse(jsonable_encoder(made))
        if response is not None:
            answer.headers.update(response.headers)
        answer.headers.update(headers)
        if isinstance(answer, StreamingResponse):
            return answer
        kept = _Answer(version, bytes(answer.body), dict(answer.headers))
        if len(kept.body) <= _LARGEST:
            self._keep(key, kept)
        return kept.response()

    def _keep(self, key: str, answer: _Answer) -> None:
        """Keep an answer in place of those that were asked for longest ago."""
        before = self._kept.pop(key, None)
        self._bytes += len(answer.body) - (len(before.body) if before else 0)
        self._kept[key] = answer
        while len(self._kept) > _MOST or self._bytes > _MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body)

    async def _version(self, session: AsyncSession) -> str:
        """Name the state that answers are about: of the last run, alert or acknowledgement, and of this minute."""
        told = self._notices.told  # what comes while the database answers is for the next time
        if told is None or told != self._newest[0]:
            self._newest = (told, await _newest(session))
        return f"{self._newest[1]}-{int(time.time() // _MINUTE)}"


async def _newest(session: AsyncSession) -> str:
    runs = select(func.max(MonitorRun.id)).scalar_subquery()
    events = select(func.max(Event.id)).where(Event.monitor.is_not(None)).scalar_subquery()
    row = (await session.execute(select(runs, events))).one()
    return f"{row[0]}-{row[1]}"
