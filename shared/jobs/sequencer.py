"""The sequencer: gives committed events their places in the feed.

Transactions that write events commit in any order, so that an id may become visible after a
greater one. Readers go by `Event.sequence` instead, which one process at a time assigns to events
that are committed: whatever becomes visible comes after everything that is.
"""

import asyncio
from collections.abc import AsyncIterator

from sqlalchemy import func, select, text, update
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
_GATHER_SECONDS = 0.01
"""Pause in which further events gather, so that one commit places many."""
_BATCH = 5000


async def place_events(database: Database) -> int:
    """Give committed events their places in the feed.

    Returns how many it were; none while another process is at it.

    Parameters
    ----------
    database
        Database.
    """
    fresh = (
        select(Event.id)
        .where(Event.sequence.is_(None))
        .order_by(Event.id)
        .limit(_BATCH)
        # What is being deleted keeps no others waiting.
        .with_for_update(key_share=True, skip_locked=True)
        .cte("fresh")
    )
    # Numbered before it meets the table again, which may be in any order.
    placed = select(fresh.c.id, EVENT_SEQUENCE.next_value().label("place")).cte("placed")
    assign = (
        update(Event)
        .where(Event.id == placed.c.id)
        .values(sequence=placed.c.place)
        .returning(Event.id)
        .execution_options(synchronize_session=False)
    )
    async with database.transaction() as session:
        alone = select(func.pg_try_advisory_xact_lock(AdvisoryLock.EVENTS))
        if not (await session.execute(alone)).scalar():
            return 0
        found = len((await session.execute(assign)).all())
        if found:
            # The only commits that notify, and one at a time.
            await session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": PLACED})
    return found


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
