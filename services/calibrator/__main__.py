"""The calibrator service: one CalCOS run at a time a process.

Start as many processes as there are cores.
"""

from collections.abc import Mapping
from functools import partial

from services.calibrator.calcos.process import warm_up
from services.calibrator.installed import publish_installed
from services.calibrator.recalibration import RecalibrationService
from services.calibrator.service import CalibrationService
from services.calibrator.sweep import keep_sweeping
from shared.database.engine import Database
from shared.database.models.operations import Stage
from shared.jobs.runner import Handler
from shared.remote_references import check_references
from shared.service import start_service
from shared.store import Store
from shared.worker.broker import Messenger
from shared.worker.process import run_worker

__all__ = ["main"]

_NAME = "calibrator"


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = start_service(_NAME)
    warm_up()

    store = Store(settings.store_url)

    def handlers(database: Database) -> Mapping[Stage, Handler]:
        service = CalibrationService(database, store, settings.calibrator, settings.references)
        return {
            Stage.CALIBRATE: service.calibrate,
            Stage.RECALIBRATE: RecalibrationService(service).recalibrate,
        }

    async def sweep(database: Database, _messenger: Messenger) -> None:
        await keep_sweeping(database, store, settings.calibrator)

    run_worker(
        _NAME,
        settings,
        handlers,
        checks=[store.require, partial(check_references, settings.references)],
        prepare=publish_installed,
        background=sweep,
        queues=settings.calibrator.served_queues,
    )


if __name__ == "__main__":
    main()
