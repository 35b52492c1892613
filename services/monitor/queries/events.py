"""Events, and the newest one that answers depend on."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.response_models.events import EventRecord
from shared.database.models.monitoring import MonitorRun
from shared.database.models.operations import Dataset, Event

__all__ = ["list_events", "newest_change", "newest_event"]


async def list_events(session: AsyncSession, after: int, limit: int) -> list[EventRecord]:
    """List events after one of a number, oldest first."""
    query = (
        select(Event, Dataset.rootname)
        .outerjoin(Dataset)
        .where(Event.id > after)
        .order_by(Event.id)
        .limit(limit)
    )
    return [
        EventRecord(
            id=event.id,
            at=event.at,
            name=event.name,
            rootname=rootname,
            monitor=event.monitor,
            job_id=event.job_id,
            detail=event.detail,
        )
        for event, rootname in await session.execute(query)
    ]


async def newest_event(session: AsyncSession) -> int:
    """Find the number of the newest event; 0 where there is none."""
    return (await session.execute(select(func.coalesce(func.max(Event.id), 0)))).scalar_one()


async def newest_change(session: AsyncSession, monitor: str | None) -> str:
    """Name the state of a monitor, or of all: its newest run and its newest event."""
    run, event = (
        select(func.max(table.id)).where(
            table.monitor == monitor if monitor else table.monitor.is_not(None)
        )
        for table in (MonitorRun, Event)
    )
    row = (await session.execute(select(run.scalar_subquery(), event.scalar_subquery()))).one()
    return f"{row[0]}-{row[1]}"
