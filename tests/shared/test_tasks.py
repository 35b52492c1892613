"""Tasks end when they are asked to, whatever they meet meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.tasks import end_task


@pytest.mark.integration
async def test_a_leader_ends_whose_connection_breaks_at_the_stop(database: Database) -> None:
    led = asyncio.Event()
    broken: list[asyncio.CancelledError] = []

    async def lead(turns: AsyncIterator[None]) -> None:
        async for _ in turns:
            led.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError as error:
                if not broken:  # as asyncpg does with a statement
                    broken.append(error)
                    raise ConnectionError("connection is closed") from error
                raise

    task = asyncio.ensure_future(keep_leading(database, AdvisoryLock.SCHEDULER, 60.0, lead))
    await asyncio.wait_for(led.wait(), 30)
    await asyncio.wait_for(end_task(task), 30)
    assert task.cancelled()
    assert broken


async def test_what_a_task_raised_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("no")

    task = asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="no"):
        await end_task(task)
