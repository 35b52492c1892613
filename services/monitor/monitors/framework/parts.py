"""What monitors keep of parts of their inputs, so that a run computes only the parts that changed."""

from collections.abc import Mapping

from sqlalchemy import String, cast, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.monitors.framework.monitor import NewPart, RowQuery
from shared.database.models.monitoring import MonitorPart

__all__ = ["parts_query", "write_parts"]

_BATCH = 1000


def parts_query(monitor: str) -> RowQuery:
    """Query for what a monitor kept: ``key``, ``inputs`` and ``content``, which is JSON text.

    Parameters
    ----------
    monitor
        Its name.
    """
    content = cast(MonitorPart.content, String).label("content")
    return select(MonitorPart.key, MonitorPart.inputs, content).where(MonitorPart.monitor == monitor)


async def write_parts(session: AsyncSession, monitor: str, parts: Mapping[str, NewPart | None]) -> None:
    """Keep these parts of a monitor, and no others.

    Parameters
    ----------
    session
        Session of the transaction that writes the run.
    monitor
        Its name.
    parts
        By key; None keeps what there is.
    """
    await session.execute(
        delete(MonitorPart).where(MonitorPart.monitor == monitor, MonitorPart.key.not_in(sorted(parts)))
    )
    rows = [
        {"monitor": monitor, "key": key, "inputs": part.inputs, "content": part.content}
        for key, part in parts.items()
        if part is not None
    ]
    for start in range(0, len(rows), _BATCH):
        statement = insert(MonitorPart).values(rows[start : start + _BATCH])
        new = {"inputs": statement.excluded.inputs, "content": statement.excluded.content}
        await session.execute(statement.on_conflict_do_update(index_elements=["monitor", "key"], set_=new))
