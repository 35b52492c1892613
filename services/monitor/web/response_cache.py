"""Answers about monitors, kept until a run, an alert or an acknowledgement changes them."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from fastapi.encoders import jsonable_encoder
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.tables.writers import FileResponse, UnnamedFile
from services.monitor.web.event_feed import EventFeed
from services.monitor.web.json_response import FiniteJSONResponse
from services.monitor.web.lru_cache import LruCache
from shared.database.models.monitoring import MonitorRun
from shared.database.models.operations import Event

__all__ = ["ResponseCache"]

_LARGEST, _MOST_BYTES, _MOST_ON_DISK = 2_000_000, 64_000_000, 256_000_000
"""Bytes of an answer that is worth keeping in memory, and of all that are kept there and on disk.
"""
_MINUTE = 60.0
"""How long an answer about freshness is kept, s: data become stale with time."""


@dataclass(frozen=True)
class _Answer:
    version: str
    body: bytes | UnnamedFile
    headers: dict[str, str]

    def response(self) -> Response:
        """Make a response: what carries it to the client may add to its headers."""
        if isinstance(self.body, UnnamedFile):
            return FileResponse(self.body, self.headers)
        return Response(self.body, headers=self.headers)


class ResponseCache:
    """The newest answers of this process, by address; each is made once, however many wait for it.

    Parameters
    ----------
    notices
        Tells that there may be something new; while it does, the database is asked only then.
    """

    def __init__(self, notices: EventFeed) -> None:
        self._notices = notices
        self._in_memory: LruCache[str, _Answer] = LruCache(_MOST_BYTES)
        self._on_disk: LruCache[str, _Answer] = LruCache(_MOST_ON_DISK)
        self._newest: dict[str | None, tuple[int | None, str]] = {}
        self._making: dict[str, asyncio.Future[_Answer]] = {}
        # Another version of the code may say it otherwise.
        self._salt = secrets.token_hex(8)

    async def give(
        self,
        request: Request,
        session: AsyncSession,
        make: Callable[[], Awaitable[Any]],
        response: Response | None = None,
        *,
        monitor: str | None = None,
        ages: bool = False,
        variant: str = "",
    ) -> Response:
        """Answer a request: not at all where the client has it, as before where nothing changed,
        else computed.

        Parameters
        ----------
        request
            The request; its whole address says what is asked for.
        session
            Session of the request.
        make
            Makes the answer: a response that is whole, or of a file, or what becomes JSON.
        response
            Response whose headers ``make`` sets.
        monitor
            The only monitor that the answer is about; None for all.
        ages
            Whether it reports freshness.
        variant
            What else than the address and the format that is asked for tells the answer from
            others.
        """
        version = await self._version(session, monitor, ages=ages)
        # The same address is answered in the format that is asked for.
        key = f"{request.url} {request.headers.get('accept', '')} {variant}"
        headers = {
            "ETag": f'W/"{sha256((key + version + self._salt).encode()).hexdigest()[:32]}"',
            "Cache-Control": "no-cache",
            "Vary": "Accept, Accept-Encoding",
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        known = self._find(key, version)
        if known is None:
            making = self._making.get(key + version)
            if making is None:
                making = asyncio.ensure_future(self._make(key, version, make, response, headers))
                self._making[key + version] = making
                making.add_done_callback(lambda _: self._making.pop(key + version))
            # Who goes away does not take it from the others.
            known = await asyncio.shield(making)
        return known.response()

    def _find(self, key: str, version: str) -> _Answer | None:
        for shelf in (self._in_memory, self._on_disk):
            known = shelf.find(key)
            if known is not None:
                if known.version == version:
                    return known
                shelf.drop(key)
        return None

    async def _make(
        self,
        key: str,
        version: str,
        make: Callable[[], Awaitable[Any]],
        response: Response | None,
        headers: dict[str, str],
    ) -> _Answer:
        made = await make()
        answer = made if isinstance(made, Response) else FiniteJSONResponse(jsonable_encoder(made))
        if response is not None:
            answer.headers.update(response.headers)
        answer.headers.update(headers)
        if isinstance(answer, FileResponse):
            found = _Answer(version, answer.file, dict(answer.headers))
            self._on_disk.keep(key, found, len(answer.file))
        else:
            found = _Answer(version, bytes(answer.body), dict(answer.headers))
            if len(found.body) <= _LARGEST:
                self._in_memory.keep(key, found, len(found.body))
        return found

    async def _version(self, session: AsyncSession, monitor: str | None, *, ages: bool) -> str:
        """Name the state that answers are about: of the last run, alert or acknowledgement, and of
        this minute.
        """
        told = self._notices.told  # what comes while the database answers is for the next time
        before, version = self._newest.get(monitor, (None, ""))
        if told is None or told != before:
            version = await _newest(session, monitor)
            await session.close()  # who waits for an answer that is being made holds no connection
            self._newest[monitor] = told, version
        return f"{version}-{int(time.time() // _MINUTE)}" if ages else version


async def _newest(session: AsyncSession, monitor: str | None) -> str:
    """Newest run and newest event of a monitor, or of all."""
    run, happened = (
        select(func.max(table.id)).where(
            table.monitor == monitor if monitor else table.monitor.is_not(None)
        )
        for table in (MonitorRun, Event)
    )
    row = (await session.execute(select(run.scalar_subquery(), happened.scalar_subquery()))).one()
    return f"{row[0]}-{row[1]}"
