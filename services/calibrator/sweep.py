"""Leftovers of killed workers: product folders that no run recorded, and scratch folders."""

import asyncio
from functools import partial

from sqlalchemy import select

from services.calibrator.run.workspace import sweep_scratch
from shared.database.engine import Database
from shared.database.models.operations import Dataset, Run, Stage
from shared.jobs import leftovers
from shared.jobs.claims import ClaimedJob
from shared.settings import CalibratorSettings
from shared.store import Store

__all__ = ["keep_sweeping", "product_folder", "sweep_products"]


def product_folder(job: ClaimedJob, token: str) -> str:
    """Return the folder in the store for the products of one attempt at a job.

    Parameters
    ----------
    job
        The job; its id in the name shows the sweep whether the folder is still being filled.
    token
        What makes the name new; a requeued job counts its attempts from the beginning.
    """
    return f"{_parent(job.subject_name)}/job{job.id}-{job.attempt}-{token}"


def _parent(rootname: str) -> str:
    return f"products/{rootname}"


async def sweep_products(database: Database, store: Store) -> list[str]:
    """Remove product folders that no run recorded and no worker is filling.

    Parameters
    ----------
    database
        Database.
    store
        Where the products are.

    Returns
    -------
    list of str
        Paths of the removed folders.
    """
    subjects = await leftovers.subjects_of_failed_attempts(
        database, (Stage.CALIBRATE, Stage.RECALIBRATE)
    )
    async with database.session() as session:
        names = select(Dataset.rootname).where(Dataset.id.in_(subjects)).order_by(Dataset.rootname)
        parents = [_parent(rootname) for rootname in (await session.execute(names)).scalars()]
    return await leftovers.sweep_folders(database, store, parents, Run.path)


async def keep_sweeping(database: Database, store: Store, settings: CalibratorSettings) -> None:
    """Sweep at once and then in intervals, until cancelled.

    Parameters
    ----------
    database
        Database.
    store
        Where the products are.
    settings
        The scratch folder, and the pause between two sweeps.
    """
    sweeps = (
        partial(sweep_products, database, store),
        partial(asyncio.to_thread, sweep_scratch, settings.scratch),
    )
    await leftovers.keep_sweeping(sweeps, settings.sweep_seconds)
