"""Sessions whose work is cancelled."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from asyncpg import connect_utils
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database

pytestmark = pytest.mark.integration

Blocks = Callable[[Database], Callable[[], AbstractAsyncContextManager[AsyncSession]]]


@pytest.mark.parametrize("of", [lambda it: it.session, lambda it: it.transaction])
async def test_no_acknowledgement_of_a_cancelled_statement_is_waited_for(
    database: Database, of: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(**_: object) -> None:
        """Lose the request to cancel, as a proxy or a full server may."""

    begun = asyncio.Event()

    async def work() -> None:
        async with of(database)() as session:
            await session.execute(text("SELECT 1"))
            begun.set()
            await session.execute(text("SELECT pg_sleep(60)"))

    monkeypatch.setattr(connect_utils, "_cancel", lost)
    task = asyncio.ensure_future(work())
    await begun.wait()
    await asyncio.sleep(0.1)
    started = time.monotonic()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert time.monotonic() - started < 20

    # the connection is not used again, and the pool has others
    async with database.session() as session:
        assert (await session.execute(text("SELECT 1"))).scalar() == 1
