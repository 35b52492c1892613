"""What killed workers leave behind: product folders that no run recorded, and scratch folders."""

import asyncio
import re
from collections.abc import Mapping

from sqlalchemy import select

from services.calibrator.workspace import sweep_scratch
from shared.database.engine import Database
from shared.database.models.operations import Attempt, Dataset, Job, JobState, Run, Stage
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
    removed = []
    for path in orphans:
        try:
            await asyncio.to_thread(store.remove, path)
        except Exception as error:  # noqa: BLE001 - every store has errors of its own, and other folders are removed
            get_logger().warning("orphan not removed", path=path, error=str(error))
        else:
            removed.append(path)
    return removed


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
        for sweep in (sweep_products(database, store), asyncio.to_thread(sweep_scratch, settings.scratch)):
            try:
                if removed := await sweep:
                    get_logger().info("swept", removed=removed)
            except Exception as error:  # noqa: BLE001 - whatever fails here, the next sweep must come
                get_logger().warning("sweep failed", error=str(error))
        await asyncio.sleep(settings.sweep_seconds)
