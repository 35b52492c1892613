"""The ingestor service: reads fetched and calibrated files into the science tables."""

from collections.abc import Mapping
from functools import partial

from services.ingestor.service import IngestService
from shared.database.engine import Database
from shared.database.models.operations import Stage
from shared.jobs.runner import Handler
from shared.remote_references import check_references, open_references
from shared.service import start_service
from shared.store import Store
from shared.worker.process import run_worker

__all__ = ["main"]

_NAME = "ingestor"


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = start_service(_NAME)
    store = Store(settings.store_url)

    def handlers(database: Database) -> Mapping[Stage, Handler]:
        service = IngestService(database, store, open_references(settings.references))
        return {
            Stage.INGEST_RAW: service.ingest_raw,
            Stage.INGEST_PRODUCTS: service.ingest_products,
        }

    checks = (store.require, partial(check_references, settings.references))
    run_worker(_NAME, settings, handlers, threads=2, checks=checks)


if __name__ == "__main__":
    main()
