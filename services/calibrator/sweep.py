"""What killed workers leave behind: product folders that no run recorded, and scratch folders."""

import asyncio
import re
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from services.calibrator.workspace import sweep_scratch
from shared.database.engine import Database
from shared.database.models.operations import Attempt, Dataset, Job, JobState, Run, Stage
from shared.errors import CosmoError
from shared.jobs.claims import ClaimedJob
from shared.logs import get_logger
from shared.settings import CalibratorSettings
from shared.store import Store

__all__ = ["keep_sweeping", "product_folder", "sweep_products"]

_FOLDER = re.compile(r"^job(\d+)-\d+-")


def product_folder(job: ClaimedJob, token: str) -> str:
    """Folder in the store for the products of one attempt at a job.

    Parameters
    ----------
    job
        The job; its id in the name tells the sweep whether the folder is still being filled.
    token
        What makes the name new; a requeued job counts its attempts anew.
    """
    return f"{_parent(job.rootname)}/job{job.id}-{job.attempt}-{token}"


def _parent(rootname: str) -> str:
    return f"products/{rootname}"


async def sweep_products(database: Database, store: Store) -> list[str]:
    """Remove product folders that no run recorded and no worker is filling.

    A worker that fills a folder holds its job, by a lease that it renews; what it publishes is recorded in the
    transaction that ends the job. So a folder is an orphan when its job is not running and no run names it.

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
    found = await asyncio.to_thread(_listed, store, await _suspects(database))
    if not found:
        return []
    # Looked up after the listing: what was listed and is not recorded now will not be recorded later.
    async with database.session() as session:
        running = select(Job.id).where(Job.id.in_(set(found.values())), Job.state == JobState.RUNNING)
        recorded = select(Run.path).where(Run.path.in_(list(found)))
        live = set((await session.execute(running)).scalars())
        kept = set((await session.execute(recorded)).scalars())
    orphans = [path for path, job_id in found.items() if job_id not in live and path not in kept]
    for path in orphans:
        await asyncio.to_thread(store.remove, path)
    return orphans


async def _suspects(database: Database) -> list[str]:
    """Datasets with an attempt that did not end well; a good one recorded its folder."""
    async with database.session() as session:
        rows = await session.execute(
            select(Dataset.rootname)
            .join(Job, Job.dataset_id == Dataset.id)
            .join(Attempt, Attempt.job_id == Job.id)
            .where(Job.stage.in_((Stage.CALIBRATE, Stage.RECALIBRATE)), Attempt.outcome.is_distinct_from("done"))
            .distinct()
        )
        return sorted(rows.scalars())


def _listed(store: Store, rootnames: list[str]) -> Mapping[str, int]:
    """Product folders of datasets, path to the id of the job that they were made for."""
    return {
        f"{_parent(rootname)}/{name}": int(match[1])
        for rootname in rootnames
        for name in store.folders(_parent(rootname))
        if (match := _FOLDER.match(name))
    }


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
    while True:
        try:
            removed = await sweep_products(database, store) + await asyncio.to_thread(sweep_scratch, settings.scratch)
            if removed:
                get_logger().info("swept", removed=removed)
        except (CosmoError, DBAPIError, OSError) as error:
            get_logger().warning("sweep failed", error=str(error))
        await asyncio.sleep(settings.sweep_seconds)
