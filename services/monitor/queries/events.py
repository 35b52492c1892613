"""Events, and the newest one that answers depend on."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.response_models.events import EventRecord
from shared.database.models.monitoring import MonitorRun
from shared.database.models.operations import Dataset, Event

__all__ = ["list_events", "newest_change"]


async def list_events(session: AsyncSession, after: int, limit: int) -> list[EventRecord]:
    """List events after a place in the feed, in its order."""
    query = (
        select(Event, Event.sequence, Dataset.rootname)
        .outerjoin(Dataset)
        .where(Event.sequence > after)
        .order_by(Event.sequence)
        .limit(limit)
    )
    return [
        EventRecord(
            id=place,
            at=event.at,
            name=event.name,
            rootname=rootname,
            monitor=event.monitor,
            job_id=event.job_id,
            detail=event.detail,
        )
        for event, place, rootname in await session.execute(query)
    ]


async def newest_change(session: AsyncSession, monitor: str | None) -> str:
    """Name the state of a monitor, or of all: its newest run and its events.

    These are all up to a place in the feed, and those that have none yet.
    """
    run, event = (
        table.monitor == monitor if monitor else table.monitor.is_not(None)
        for table in (MonitorRun, Event)
    )
    unplaced = func.array_agg(aggregate_order_by(Event.id, Event.id))
    parts = (
        select(func.max(MonitorRun.id)).where(run),
        select(func.max(Event.sequence)).where(event),
        select(unplaced).where(event, Event.sequence.is_(None)),
    )
    row = (await session.execute(select(*(part.scalar_subquery() for part in parts)))).one()
    return f"{row[0]}-{row[1]}-{row[2] or ''}"
