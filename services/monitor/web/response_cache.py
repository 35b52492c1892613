"""Cache of finished responses, which a run, an alert or an acknowledgement makes invalid."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

from fastapi import Request, Response

from services.monitor.queries.events import newest_change
from services.monitor.tables.writers import UnnamedFile
from services.monitor.web.event_feed import EventFeed
from services.monitor.web.lru_cache import LruCache
from services.monitor.web.table_responses import FileResponse
from shared.database.engine import Database

__all__ = ["ResponseCache"]

_LARGEST, _MOST_BYTES, _MOST_ON_DISK = 2_000_000, 64_000_000, 256_000_000
"""Bytes of a response that is worth keeping in memory, and of all that are kept there and on disk.
"""
_MINUTE = 60.0
"""How long responses are kept that say how fresh data are, s: data grow stale by the clock."""


@dataclass(frozen=True)
class _Entry:
    version: str
    body: bytes | UnnamedFile
    headers: dict[str, str]

    def response(self) -> Response:
        """Make a response: what carries it to the client may add to its headers."""
        if isinstance(self.body, UnnamedFile):
            return FileResponse(self.body, self.headers)
        return Response(self.body, headers=self.headers)


class ResponseCache:
    """The newest responses of this process, by address; each is made once, however many wait.

    Parameters
    ----------
    database
        Database that says what is newest.
    feed
        Says whether there may be something new; while it does, the database is asked only then.
    """

    def __init__(self, database: Database, feed: EventFeed) -> None:
        self._database, self._feed = database, feed
        self._in_memory: LruCache[str, _Entry] = LruCache(_MOST_BYTES)
        self._on_disk: LruCache[str, _Entry] = LruCache(_MOST_ON_DISK)
        self._newest: dict[str | None, tuple[int | None, str]] = {}
        self._making: dict[str, asyncio.Future[_Entry]] = {}
        # Another version of the code may answer differently.
        self._salt = secrets.token_hex(8)

    async def respond(
        self,
        request: Request,
        handler: Callable[[Request], Awaitable[Response]],
        *,
        monitor: str | None = None,
        ages: bool = False,
    ) -> Response:
        """Respond: without a body where the client has it, from the cache where nothing changed,
        else by the handler.

        Parameters
        ----------
        request
            The request; its whole address, the format and whether it may be gzipped say what is
            asked for.
        handler
            Makes the finished response.
        monitor
            The only monitor that the response is about; None for all.
        ages
            Whether it says how fresh data are.
        """
        version = await self._version(monitor, ages=ages)
        # The same address is answered in the format that is asked for.
        packed = "gzip" in request.headers.get("accept-encoding", "")
        key = f"{request.url} {request.headers.get('accept', '')} {packed}"
        headers = {
            "ETag": f'W/"{sha256((key + version + self._salt).encode()).hexdigest()[:32]}"',
            "Cache-Control": "no-cache",
            "Vary": "Accept, Accept-Encoding",
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        found = self._find(key, version)
        if found is None:
            making = self._making.get(key + version)
            if making is None:
                making = asyncio.ensure_future(self._make(key, version, handler, request, headers))
                self._making[key + version] = making
                making.add_done_callback(lambda _: self._making.pop(key + version))
            # A client that goes away does not take it from the others.
            found = await asyncio.shield(making)
        return found.response()

    def _find(self, key: str, version: str) -> _Entry | None:
        for cache in (self._in_memory, self._on_disk):
            found = cache.find(key)
            if found is not None:
                if found.version == version:
                    return found
                cache.drop(key)
        return None

    async def _make(
        self,
        key: str,
        version: str,
        handler: Callable[[Request], Awaitable[Response]],
        request: Request,
        headers: dict[str, str],
    ) -> _Entry:
        response = await handler(request)
        response.headers.update(headers)
        if isinstance(response, FileResponse):
            entry = _Entry(version, response.file, dict(response.headers))
            self._on_disk.keep(key, entry, len(response.file))
        else:
            entry = _Entry(version, bytes(response.body), dict(response.headers))
            if len(response.body) <= _LARGEST:
                self._in_memory.keep(key, entry, len(response.body))
        return entry

    async def _version(self, monitor: str | None, *, ages: bool) -> str:
        """Name the state that responses are about: of the last run, alert or acknowledgement, and
        of this minute.
        """
        # Read before the database answers: what comes meanwhile is for the next time.
        count = self._feed.notification_count
        before, version = self._newest.get(monitor, (None, ""))
        if count is None or count != before:
            async with self._database.session() as session:
                version = await newest_change(session, monitor)
            self._newest[monitor] = count, version
        return f"{version}-{int(time.time() // _MINUTE)}" if ages else version
