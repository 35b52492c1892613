"""The sequencer: gives committed events their places in the feed.

Transactions that write events commit in any order, so that an id may become visible after a
greater one. Readers go by `Event.sequence` instead, which one process at a time assigns to events
that are committed: whatever becomes visible comes after everything that is.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Integer, Select, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.database.models.operations import EVENT_SEQUENCE, Event

__all__ = ["PLACED", "WRITTEN", "keep_sequencing", "newest_place", "place_events"]

WRITTEN = "cosmo_events_written"
"""Channel of Postgres: events were committed that have no places yet."""
PLACED = "cosmo_events"
"""Channel of Postgres: there are new events in the feed."""

_LOOK_SECONDS = 4.0
"""Pause between two looks where no notification comes, and between two attempts to lead: an event
is seen within 5 s though a notification was lost, or the leader was killed."""
_GATHER_SECONDS = 0.03
"""Pause in which further events gather, so that one commit places many."""
_BATCH = 5000


def _placing() -> Select[int, Any]:
    """Return the statement that gives events their places, and counts them where there were any.

    Who waits for another one to commit looks at each event again, and finds that it has its place.
    """
    alone = select(func.pg_try_advisory_xact_lock(AdvisoryLock.EVENTS).label("alone")).cte("lock")
    fresh = (
        select(Event.id)
        .where(Event.sequence.is_(None), select(alone.c.alone).scalar_subquery())
        .order_by(Event.id)
        .limit(bindparam("most", type_=Integer))
        # What is being deleted keeps no others waiting.
        .with_for_update(key_share=True, skip_locked=True)
        .cte("fresh")
    )
    # Numbered before it meets the table again, which may be in any order.
    placed = select(fresh.c.id, EVENT_SEQUENCE.next_value().label("place")).cte("placed")
    written = (
        update(Event)
        .where(Event.id == placed.c.id)
        .values(sequence=placed.c.place)
        .returning(Event.id)
        .cte("written")
    )
    # The only commits that notify, and one at a time.
    notified = select(func.count(), func.pg_notify(PLACED, "")).select_from(written)
    return notified.having(func.count() > 0)


_PLACE = _placing()


async def place_events(database: Database) -> int:
    """Give committed events their places in the feed.

    Returns how many it were; none while another process is at it.

    Parameters
    ----------
    database
        Database.
    """
    async with database.autocommit() as session:
        return (await session.execute(_PLACE, {"most": _BATCH})).scalar() or 0


async def newest_place(session: AsyncSession) -> int:
    """Return the place of the newest event in the feed; 0 where there is none."""
    return await session.scalar(select(func.max(Event.sequence))) or 0


async def keep_sequencing(database: Database) -> None:
    """Place events whenever no other process does, until cancelled.

    Parameters
    ----------
    database
        Database.
    """

    async def lead(turns: AsyncIterator[None]) -> None:
        async for _ in turns:
            while await place_events(database) == _BATCH:
                pass  # there may be more
            await asyncio.sleep(_GATHER_SECONDS)

    await keep_leading(database, AdvisoryLock.SEQUENCER, _LOOK_SECONDS, lead, channel=WRITTEN)
