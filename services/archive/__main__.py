"""The archive service.

Scans its sources, fetches datasets, and sweeps up after fetches that failed.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

from services.archive.archives import RemoteArchives
from services.archive.catalogues import open_catalogue
from services.archive.discovery import Discovery
from services.archive.downloads import Downloader
from services.archive.fetch import FetchService
from services.archive.scanner import Scanner
from services.archive.sources import check_source
from services.archive.sweep import sweep_downloads, sweep_raw
from shared.database.engine import Database
from shared.database.models.operations import Stage
from shared.jobs.leftovers import keep_sweeping
from shared.jobs.runner import Handler
from shared.remote_references import check_references, open_references
from shared.service import start_service
from shared.settings import ArchiveSettings
from shared.store import Store
from shared.worker.broker import Messenger
from shared.worker.process import run_worker

__all__ = ["main"]

_NAME = "archive"


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = start_service(_NAME)
    store = Store(settings.store_url)

    def downloads() -> Path:
        # Not before the store was found to be usable.
        return settings.archive.download_folder or _download_folder(store)

    @cache
    def downloader() -> Downloader:
        return Downloader(downloads(), settings.archive)

    def handlers(database: Database) -> Mapping[Stage, Handler]:
        archives = _archives(database, downloader(), settings.archive)
        service = FetchService(
            database,
            store,
            downloader(),
            settings.calibrator.randseed,
            archives,
            open_references(settings.references),
        )
        return {Stage.FETCH: service.fetch}

    async def background(database: Database, messenger: Messenger) -> None:
        archives = _archives(database, downloader(), settings.archive)
        scanner = Scanner(
            database,
            messenger,
            settings.archive,
            open_references(settings.references),
            archives,
            Discovery(database, archives.catalogues, settings.archive, store) if archives else None,
        )
        await asyncio.gather(
            scanner.keep_scanning(),
            keep_sweeping(
                [partial(sweep_raw, database, store), partial(sweep_downloads, downloads())],
                settings.calibrator.sweep_seconds,
            ),
        )

    checks: list[Callable[[], object]] = [
        store.require,
        partial(check_references, settings.references),
    ]
    checks += [partial(check_source, source) for source in settings.archive.folders]
    run_worker(
        _NAME,
        settings,
        handlers,
        threads=2,
        checks=checks,
        background=background,
        connections=3,
    )


def _archives(
    database: Database, downloader: Downloader, settings: ArchiveSettings
) -> RemoteArchives | None:
    """Return the remote archives among the sources, if there are any."""
    catalogues = [open_catalogue(name, settings) for name in settings.catalogues]
    if not catalogues:
        return None
    return RemoteArchives(database, catalogues, downloader, settings.catalogue_pause_seconds)


def _download_folder(store: Store) -> Path:
    return (store.staging or Path(tempfile.gettempdir())) / "cosmo-downloads"


if __name__ == "__main__":
    main()
