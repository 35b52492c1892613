"""What came from remote archives of late, and how fast."""

from datetime import timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.response_models.archive import TransferRecord
from shared.database.models.operations import Attempt, Event, File
from shared.events import EventName

__all__ = ["read_transfer"]

_WITHIN: Final = timedelta(hours=1)
_DATASETS: Final = 200
"""Most datasets that are looked at."""


async def read_transfer(session: AsyncSession) -> TransferRecord | None:
    """Say what came in the last hour, of the newest 200 datasets at most; None for nothing.

    The rate is that of all workers together, from the first attempt to the last end.
    """
    newest = (
        select(Event.dataset_id, Event.job_id, Event.at)
        .where(Event.name == EventName.DATASET_DOWNLOADED, Event.at > func.now() - _WITHIN)
        .order_by(Event.sequence.desc())
        .limit(_DATASETS)
        .subquery()
    )
    span = (
        select(
            func.count(newest.c.dataset_id.distinct()),
            func.min(Attempt.started_at),
            func.max(newest.c.at),
        )
        .select_from(newest)
        .join(Attempt, Attempt.job_id == newest.c.job_id)
    )
    datasets, first, last = (await session.execute(span)).one()
    if not datasets:
        return None
    size = await session.scalar(
        select(func.sum(File.size)).where(
            File.dataset_id.in_(select(newest.c.dataset_id)),
            File.origin == "raw",
            File.created_at >= first,
        )
    )
    seconds = (last - first).total_seconds()
    return TransferRecord(
        datasets=datasets,
        bytes=size or 0,
        seconds=seconds,
        bytes_per_second=float(size or 0) / seconds if seconds > 0 else None,
    )
