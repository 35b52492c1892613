"""Run monitors of COSMO on a database, as their worker does."""

from pathlib import Path

from services.monitor.framework.runs import MonitorService
from services.monitor.monitors import monitors
from shared.database.engine import Database
from shared.database.models.operations import Job, JobState, Stage
from shared.jobs.events import Outbox, add_job
from shared.jobs.routing import NewJob
from shared.jobs.runner import JobRunner
from shared.settings import JobSettings
from shared.store import Store
from shared.worker.broker import Messenger

__all__ = ["run_monitor"]


async def run_monitor(
    database: Database,
    messenger: Messenger,
    store: Store,
    name: str,
    occasion: int = 0,
    references: Path | None = None,
) -> None:
    """Compute one; it must succeed."""
    service = MonitorService(database, store, monitors(), references)
    runner = JobRunner(
        database, messenger, JobSettings(max_attempts=1), {Stage.MONITOR: service.run}, "tester"
    )
    payload = {"generation": occasion}
    async with database.transaction() as session:
        job_id = await add_job(session, name, NewJob(Stage.MONITOR, payload, payload), Outbox())
    assert job_id is not None
    await runner.run(job_id)
    async with database.session() as session:
        job = await session.get_one(Job, job_id)
        assert job.state is JobState.DONE, job.error
