"""Run monitors of COSMO on a database, as their worker does."""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.framework.runs import MonitorService
from services.monitor.monitors import monitors
from shared.database.engine import Database
from shared.database.models.operations import Dataset, File, Job, JobState, Run, Stage
from shared.jobs.events import Outbox, add_job
from shared.jobs.routing import NewJob
from shared.jobs.runner import JobRunner
from shared.settings import JobSettings
from shared.store import Store
from shared.worker.broker import Messenger

__all__ = ["keep_product", "run_monitor"]


async def keep_product(
    session: AsyncSession, name: str, reference: tuple[str, str], *, shown: bool = True
) -> File:
    """Store a product without rows, and the run that made it.

    Parameters
    ----------
    session
        Session of a transaction.
    name
        Rootname and suffix, with an underscore between them.
    reference
        Keyword and name of the reference file that the run used.
    shown
        Whether readers see it; otherwise it is of an earlier generation.
    """
    rootname, suffix = name.split("_")
    folder = rootname if shown else f"{rootname}-earlier"
    dataset = Dataset(rootname=folder, kind="exposure")
    session.add(dataset)
    await session.flush()
    file = File(
        dataset_id=dataset.id,
        origin="product",
        path=f"products/{folder}",
        name=f"{name}.fits",
        rootname=rootname,
        suffix=suffix,
        size=1,
        sha256="2" * 64,
        current=shown,
        shown=shown,
    )
    keyword, used = reference
    run = Run(
        dataset_id=dataset.id,
        attempt=1,
        path=f"products/{folder}",
        calcos_version="3.6.2",
        inputs={},
        references={used: {"keyword": keyword, "sha256": "ab"}},
        switches={},
        randseeds={},
        wall_seconds=1.0,
        cpu_seconds=1.0,
        peak_rss_mb=1.0,
        trailer="",
    )
    session.add_all([file, run])
    await session.flush()
    return file


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
