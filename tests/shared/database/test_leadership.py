"""One leads, and who fails lets another one lead."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from shared.database.after_commit import notify_after_commit
from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock

pytestmark = pytest.mark.integration


async def test_a_leader_that_failed_or_was_stopped_holds_no_lock(database: Database) -> None:
    led = asyncio.Event()

    async def fail(turns: AsyncIterator[None]) -> None:
        async for _ in turns:
            led.set()
            raise OSError("no space left on the device")

    async def stay(turns: AsyncIterator[None]) -> None:
        async for _ in turns:
            led.set()

    rival = Database(database.url)
    for lead, cancelled in ((fail, False), (stay, True)):
        led.clear()
        task = asyncio.ensure_future(keep_leading(database, AdvisoryLock.SCHEDULER, 60.0, lead))
        await asyncio.wait_for(led.wait(), 10)
        if cancelled:
            task.cancel()
        await asyncio.sleep(0.3)
        async with rival.session() as session:
            free = await session.execute(
                text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": AdvisoryLock.SCHEDULER}
            )
            assert free.scalar()
        task.cancel()
    await rival.dispose()


async def test_a_notification_begins_the_next_turn(database: Database) -> None:
    turns = asyncio.Queue[None]()

    async def lead(given: AsyncIterator[None]) -> None:
        async for _ in given:
            turns.put_nowait(None)

    leading = keep_leading(database, AdvisoryLock.SCHEDULER, 60.0, lead, channel="news")
    task = asyncio.ensure_future(leading)
    async with asyncio.timeout(20):
        for _ in range(3):
            await turns.get()
            async with database.transaction() as session:
                notify_after_commit(session, "news")
    task.cancel()
