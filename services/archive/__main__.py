"""The archive service.

Scans its sources, fetches datasets, and sweeps up after fetches that failed.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path

from services.archive.aside import Summary
from services.archive.downloads import Downloader
from services.archive.fetch import FetchService
from services.archive.scan import scan
from services.archive.sources import open_source
from services.archive.sweep import sweep_downloads, sweep_raw
from shared.cos.reference_names import RemoteFolder
from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.database.models.operations import Stage
from shared.jobs.events import Outbox, send
from shared.jobs.leftovers import keep_sweeping
from shared.jobs.runner import Handler
from shared.logs import get_logger
from shared.metrics import SCAN_SECONDS, SCANS
from shared.remote_references import check_references, open_references
from shared.service import start_service
from shared.settings import ArchiveSettings
from shared.store import Store
from shared.worker.broker import Messenger
from shared.worker.process import run_worker

__all__ = ["keep_scanning", "main"]

_NAME = "archive"


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = start_service(_NAME)
    store = Store(settings.store_url)

    def downloads() -> Path:
        # Not before the store was found to be usable.
        return settings.archive.download_folder or _download_folder(store)

    def handlers(database: Database) -> Mapping[Stage, Handler]:
        downloader = Downloader(downloads(), settings.archive)
        service = FetchService(database, store, downloader, settings.calibrator.randseed)
        return {Stage.FETCH: service.fetch}

    async def background(database: Database, messenger: Messenger) -> None:
        await asyncio.gather(
            keep_scanning(
                database, messenger, settings.archive, open_references(settings.references)
            ),
            keep_sweeping(
                [partial(sweep_raw, database, store), partial(sweep_downloads, downloads())],
                settings.calibrator.sweep_seconds,
            ),
        )

    checks: list[Callable[[], object]] = [
        store.require,
        partial(check_references, settings.references),
    ]
    checks += [partial(open_source, source) for source in settings.archive.folders]
    run_worker(
        _NAME,
        settings,
        handlers,
        threads=2,
        checks=checks,
        background=background,
        connections=2,
    )


def _download_folder(store: Store) -> Path:
    return (store.staging or Path(tempfile.gettempdir())) / "cosmo-downloads"


async def keep_scanning(
    database: Database,
    messenger: Messenger,
    settings: ArchiveSettings,
    references: Path | RemoteFolder | None = None,
) -> None:
    """Scan the sources again and again, until cancelled, whenever no other process does.

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
    """
    if not settings.sources:
        return
    left_aside: dict[str, Summary] = {}

    async def lead(turns: AsyncIterator[None]) -> None:
        async for _ in turns:
            for source in settings.folders:
                left_aside[source] = await _scan(
                    database, messenger, settings, source, references, left_aside.get(source, {})
                )

    await keep_leading(database, AdvisoryLock.SCANNER, settings.scan_seconds, lead)


async def _scan(
    database: Database,
    messenger: Messenger,
    settings: ArchiveSettings,
    source: str,
    references: Path | RemoteFolder | None,
    reported: Summary,
) -> Summary:
    """Scan once and log what is new of it; return what is left aside."""
    outbox = Outbox()
    try:
        with SCAN_SECONDS.time():
            result = await scan(
                database, open_source(source), outbox, references, settings.bulk_above
            )
    except Exception as error:  # noqa: BLE001 - whatever fails here (Postgres too), the next scan must come
        SCANS.labels("failed").inc()
        get_logger().warning("scan failed", source=source, error=str(error))
        return reported
    finally:
        await send(messenger, outbox)
    SCANS.labels("done").inc()
    for url, reason in result.unreadable.items():
        get_logger().warning("not scanned", url=url, reason=reason)
    if result.left_aside != reported:
        files = {reason: found["count"] for reason, found in result.left_aside.items()}
        get_logger().info("left aside", source=source, files=files)
    return result.left_aside


if __name__ == "__main__":
    main()
