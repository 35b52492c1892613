"""The scanner: scans every source again and again, whenever no other process does."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from services.archive.archives import RemoteArchives
from services.archive.aside import Summary
from services.archive.catalogues.base import ARCHIVE
from services.archive.discovery import Discovery
from services.archive.fetch import ARRIVED
from services.archive.scan import ScanResult, scan, scan_archives
from services.archive.sources import open_source
from shared.cos.reference_names import RemoteFolder
from shared.database.after_commit import notify_after_commit
from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.jobs.events import Outbox, send
from shared.logs import get_logger
from shared.metrics import SCAN_SECONDS, SCANS
from shared.settings import ArchiveSettings
from shared.tasks import end_task
from shared.worker.broker import Messenger

__all__ = ["Scanner"]

_GATHER_SECONDS: Final = 1.0
"""Shortest pause between two turns, in which files arrive that are grouped at once."""


class Scanner:
    """Scans sources.

    Parameters
    ----------
    database
        Database.
    messenger
        Sends the messages of the fetch jobs.
    settings
        The sources, if any, and the pause between two scans.
    references
        Folder of the reference files, if this service sees it.
    archives, discovery
        Remote archives, and what finds out what they have; None where they are no source.
    """

    def __init__(
        self,
        database: Database,
        messenger: Messenger,
        settings: ArchiveSettings,
        references: Path | RemoteFolder | None = None,
        archives: RemoteArchives | None = None,
        discovery: Discovery | None = None,
    ) -> None:
        self._database, self._messenger, self._settings = database, messenger, settings
        self._references, self._archives, self._discovery = references, archives, discovery
        self._sources = [open_source(source).url for source in settings.folders]
        self._sources += [ARCHIVE] if archives else []
        self._left_aside: dict[str, Summary] = {}
        self._next = 0.0
        self._is_news = True

    async def keep_scanning(self) -> None:
        """Scan again and again, until cancelled, whenever no other process does."""
        if not self._settings.sources:
            return
        await keep_leading(
            self._database,
            AdvisoryLock.SCANNER,
            self._rest,
            self._lead,
            channel=ARRIVED,
        )

    def _rest(self) -> float:
        """Return the time until the next scan, seconds."""
        left = self._next - time.monotonic()
        return left if left > 0.0 else self._settings.scan_seconds

    async def _lead(self, turns: AsyncIterator[None]) -> None:
        self._next, self._is_news = 0.0, True
        discovering = asyncio.ensure_future(self._keep_discovering())
        try:
            async for _ in turns:
                await self._turn()
                await asyncio.sleep(min(_GATHER_SECONDS, self._settings.scan_seconds))
        finally:
            await end_task(discovering)

    async def _turn(self) -> None:
        """Scan everything where that is due; else what came of remote archives."""
        is_due = time.monotonic() >= self._next
        if is_due:
            self._next = time.monotonic() + self._settings.scan_seconds
            for source in self._settings.folders:
                await self._scan(source, self._folder_scan(source))
        if (archives := self._archives) is None:
            return
        is_news, self._is_news = self._is_news, False
        done = await self._scan(
            ARCHIVE,
            lambda outbox: scan_archives(
                self._database,
                archives,
                outbox,
                self._references,
                self._settings.bulk_above,
                self._sources,
                is_news=is_news,
                is_whole=is_due,
            ),
        )
        self._is_news = self._is_news or (is_news and not done)

    def _folder_scan(self, source: str) -> Callable[[Outbox], Awaitable[ScanResult]]:
        return lambda outbox: scan(
            self._database,
            open_source(source),
            outbox,
            self._references,
            self._settings.bulk_above,
            self._sources,
        )

    async def _scan(self, source: str, run: Callable[[Outbox], Awaitable[ScanResult]]) -> bool:
        """Scan once and log what is new of it; returns whether it came to its end."""
        outbox = Outbox()
        try:
            with SCAN_SECONDS.time():
                result = await run(outbox)
        except Exception as error:  # noqa: BLE001 - whatever fails here (Postgres too), the next scan must come
            SCANS.labels("failed").inc()
            get_logger().warning("scan failed", source=source, error=str(error))
            return False
        finally:
            await send(self._messenger, outbox)
        SCANS.labels("done").inc()
        for url, reason in result.unreadable.items():
            get_logger().warning("not scanned", url=url, reason=reason)
        if result.left_aside != self._left_aside.get(source, {}):
            files = {reason: found["count"] for reason, found in result.left_aside.items()}
            get_logger().info("left aside", source=source, files=files)
            self._left_aside[source] = result.left_aside
        return True

    async def _keep_discovering(self) -> None:
        """Find out what remote archives have, beside the scans."""
        if self._discovery is None:
            return
        while True:
            try:
                changed = await self._discovery.look()
            except Exception as error:  # noqa: BLE001 - whatever fails here (Postgres too), the next look must come
                get_logger().warning("discovery failed", error=str(error))
                changed = False
            if changed:
                self._is_news = True
                async with self._database.transaction() as session:
                    notify_after_commit(session, ARRIVED)
            else:
                await asyncio.sleep(self._settings.scan_seconds)
