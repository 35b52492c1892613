"""The worker of the monitor service.

Computes monitors, notifies subscribers, checks the invariants, and sweeps.
"""

import asyncio
from collections.abc import Mapping
from functools import partial

from prometheus_client import REGISTRY

from services.monitor.framework.leftovers import sweep_artifacts
from services.monitor.framework.runs import MonitorService
from services.monitor.framework.scheduling import Scheduler
from services.monitor.monitors import monitors
from services.monitor.notifications import Notifier
from services.monitor.queries.metrics import DatabaseMetrics
from shared.database.engine import Database
from shared.database.models.operations import Stage
from shared.invariants.check import keep_checking
from shared.jobs.leftovers import keep_sweeping
from shared.jobs.runner import Handler
from shared.remote_references import check_references, open_references
from shared.service import start_service
from shared.store import Store
from shared.worker.broker import Messenger
from shared.worker.process import run_worker

__all__ = ["main"]

_NAME = "monitor-worker"


def main() -> None:
    """Run until asked to stop."""
    settings = start_service(_NAME)
    known, store = monitors(), Store(settings.store_url)

    def handlers(database: Database) -> Mapping[Stage, Handler]:
        service = MonitorService(database, store, known, open_references(settings.references))
        return {Stage.MONITOR: service.run}

    async def watch(database: Database, messenger: Messenger) -> None:
        metrics = DatabaseMetrics(database, asyncio.get_running_loop(), known)
        REGISTRY.register(metrics)
        try:
            await work(database, messenger)
        finally:
            REGISTRY.unregister(metrics)

    async def work(database: Database, messenger: Messenger) -> None:
        await asyncio.gather(
            Scheduler(database, messenger, settings.monitor, known.values()).run(),
            Notifier(database, settings.monitor).run(),
            keep_checking(database, store, settings.check),
            keep_sweeping(
                [partial(sweep_artifacts, database, store)], settings.calibrator.sweep_seconds
            ),
        )

    run_worker(
        _NAME,
        settings,
        handlers,
        checks=[store.require, partial(check_references, settings.references)],
        background=watch,
        connections=4,
    )


if __name__ == "__main__":
    main()
