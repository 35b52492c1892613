"""Datasets and jobs for tests."""

from typing import Any

from shared.database.engine import Database
from shared.database.models.operations import Dataset, Stage
from shared.jobs.events import Outbox, add_job
from shared.jobs.routing import NewJob

__all__ = ["add_dataset", "queue_job"]


async def add_dataset(
    database: Database, kind: str = "association", rootname: str = "ldfd01010"
) -> int:
    """Write a dataset; returns its key."""
    async with database.transaction() as session:
        dataset = Dataset(rootname=rootname, kind=kind)
        session.add(dataset)
        await session.flush()
        return dataset.id


async def queue_job(
    database: Database,
    dataset_id: int,
    stage: Stage = Stage.CALIBRATE,
    version: int = 1,
    payload: dict[str, Any] | None = None,
) -> int | None:
    """Write a job; returns its id, or None where the same work is there already."""
    job = NewJob(stage, payload or {}, {"version": version})
    async with database.transaction() as session:
        return await add_job(session, dataset_id, job, Outbox())
