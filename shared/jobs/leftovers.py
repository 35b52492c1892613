"""Leftovers of killed attempts in the store: folders of outputs that no row names."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from shared.database.engine import Database
from shared.database.models.operations import Attempt, Job, Stage
from shared.jobs.due import is_held
from shared.jobs.subjects import Subject, subject_of
from shared.logs import get_logger
from shared.store import Store

__all__ = ["keep_sweeping", "subjects_of_failed_attempts", "sweep_folders"]

_FOLDER = re.compile(r"^job(\d+)-\d+(-|$)")
"""Id of the job, number of the attempt, and what makes the name new."""
_SWEPT = timedelta(days=7)
"""For how long what an attempt may have left is looked for; sweeps come every few minutes."""


async def subjects_of_failed_attempts(database: Database, stages: Iterable[Stage]) -> set[Subject]:
    """Return the datasets or monitors with an attempt that did not end well, or not yet.

    A good one recorded its folder; what those before some days left was swept many times since.

    Parameters
    ----------
    database
        Database.
    stages
        Stages of the jobs.
    """
    async with database.session() as session:
        rows = await session.execute(
            select(Job.dataset_id, Job.monitor)
            .join(Attempt, Attempt.job_id == Job.id)
            .where(
                Job.stage.in_(list(stages)),
                Attempt.outcome.is_distinct_from("done"),
                or_(Attempt.finished_at.is_(None), Attempt.finished_at > func.now() - _SWEPT),
            )
            .distinct()
        )
        return {subject_of(dataset, monitor) for dataset, monitor in rows}


async def sweep_folders(
    database: Database,
    store: Store,
    parents: Sequence[str],
    recorded: InstrumentedAttribute[Any] | InstrumentedAttribute[str | None],
) -> list[str]:
    """Remove folders of attempts that no row names and no worker is filling.

    A worker that fills a folder holds its job, by a lease that it renews; what it publishes is
    recorded in the transaction that ends the job. So a folder is left over when no worker may
    finish its job and no row names it.

    Parameters
    ----------
    database
        Database.
    store
        Where they are.
    parents
        Folders that they are in.
    recorded
        Column with the folders that are in use.

    Returns
    -------
    list of str
        Paths of the removed folders.
    """
    found = await asyncio.to_thread(_listed, store, parents)
    if not found:
        return []
    # Looked up after the listing: what was listed and is not recorded now will not be recorded
    # later.
    async with database.session() as session:
        held = select(Job.id).where(Job.id.in_(set(found.values())), is_held())
        live = set((await session.execute(held)).scalars())
        kept = set(
            (await session.execute(select(recorded).where(recorded.in_(list(found))))).scalars()
        )
    removed = []
    for path in [path for path, job_id in found.items() if job_id not in live and path not in kept]:
        try:
            await asyncio.to_thread(store.remove, path)
        except Exception as error:  # noqa: BLE001 - every store has errors of its own, and other folders are removed
            get_logger().warning("left-over folder not removed", path=path, error=str(error))
        else:
            removed.append(path)
    return removed


def _listed(store: Store, parents: Sequence[str]) -> Mapping[str, int]:
    """Return the folders of attempts, path to the id of the job that they were made for."""
    return {
        f"{parent}/{name}": int(match[1])
        for parent in parents
        for name in store.folders(parent)
        if (match := _FOLDER.match(name))
    }


async def keep_sweeping(sweeps: Sequence[Callable[[], Awaitable[list[str]]]], pause: float) -> None:
    """Sweep at once and then in intervals, until cancelled.

    Parameters
    ----------
    sweeps
        Each removes something and returns what it removed.
    pause
        Seconds between two sweeps.
    """
    while True:
        for sweep in sweeps:
            try:
                if removed := await sweep():
                    get_logger().info("swept", removed=removed)
            except Exception as error:  # noqa: BLE001 - whatever fails here, the next sweep must come
                get_logger().warning("sweep failed", error=str(error))
        await asyncio.sleep(pause)
