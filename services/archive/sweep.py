"""Leftovers of failed fetches: in the store, and among the unfinished downloads.

Files that arrived before one that was damaged, or before a kill.
"""

import asyncio
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.archive.copying import raw_folder
from services.archive.downloads import sweep_parts
from shared.database.engine import Database
from shared.database.models.operations import Dataset, File, Job, Stage
from shared.jobs.due import is_held
from shared.jobs.leftovers import subjects_of_failed_attempts
from shared.jobs.states import lock_datasets
from shared.logs import get_logger
from shared.store import Store

__all__ = ["sweep_downloads", "sweep_raw"]

_STALE_SECONDS = 7 * 86400.0
"""Age from which nobody is expected to go on with a download."""


async def sweep_downloads(folder: Path) -> list[str]:
    """Remove downloads that nobody went on with.

    Parameters
    ----------
    folder
        Folder of unfinished downloads.

    Returns
    -------
    list of str
        Names of the removed files.
    """
    return await asyncio.to_thread(sweep_parts, folder, _STALE_SECONDS)


async def sweep_raw(database: Database, store: Store) -> list[str]:
    """Remove folders of raw files that no row names, of datasets that are not being fetched.

    Parameters
    ----------
    database
        Database.
    store
        Where the files are.

    Returns
    -------
    list of str
        Paths of the removed folders.
    """
    removed: list[str] = []
    for dataset_id in await subjects_of_failed_attempts(database, [Stage.FETCH]):
        try:
            async with database.transaction() as session:
                removed += await _sweep(session, store, int(dataset_id))
        except Exception as error:  # noqa: BLE001 - every store has errors of its own, and other datasets are swept
            get_logger().warning("raw files not swept", dataset=dataset_id, error=str(error))
    return removed


async def _sweep(session: AsyncSession, store: Store, dataset_id: int) -> list[str]:
    # Nobody claims a job of a locked dataset: a new attempt would take what it finds in the store
    # for its own.
    await lock_datasets(session, [dataset_id])
    held = select(Job.id).where(Job.dataset_id == dataset_id, Job.stage == Stage.FETCH, is_held())
    if (await session.execute(held)).first() is not None:
        return []
    rootname = (
        await session.execute(select(Dataset.rootname).where(Dataset.id == dataset_id))
    ).scalar_one()
    parent = raw_folder(rootname)
    found = [f"{parent}/{name}" for name in await asyncio.to_thread(store.folders, parent)]
    kept = set((await session.execute(select(File.path).where(File.path.in_(found)))).scalars())
    removed = [path for path in found if path not in kept]
    for path in removed:
        await asyncio.to_thread(store.remove, path)
    return removed
