"""The archive service: scans its source and fetches datasets."""

import asyncio
from collections.abc import Mapping

from services.archive.fetch import FetchService
from services.archive.scan import scan
from services.archive.sources import open_source
from shared.broker import Messenger
from shared.database.engine import Database
from shared.database.models.operations import Stage
from shared.errors import CosmoError
from shared.jobs.events import Outbox, send
from shared.jobs.runner import Handler
from shared.logs import get_logger
from shared.settings import get_settings
from shared.store import Store
from shared.worker import run_worker

__all__ = ["main"]


def main() -> None:
    """Run the service until it is told to stop."""
    settings = get_settings()

    def handlers(database: Database) -> Mapping[Stage, Handler]:
        service = FetchService(database, Store(settings.store_url), settings.calibrator)
        return {Stage.FETCH: service.fetch}

    async def keep_scanning(database: Database, messenger: Messenger) -> None:
        if settings.archive.source is None:
            return
        source = open_source(settings.archive.source)
        while True:
            outbox = Outbox()
            try:
                await scan(database, source, outbox)
                await send(messenger, outbox)
            except (CosmoError, OSError) as error:
                get_logger().warning("scan failed", source=source.url, error=str(error))
            await asyncio.sleep(settings.archive.scan_seconds)

    run_worker("archive", settings, ["fetch"], handlers, threads=2, background=keep_scanning)


if __name__ == "__main__":
    main()
