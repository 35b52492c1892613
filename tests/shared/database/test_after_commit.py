"""Notifications after a commit, on a real Postgres."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from shared.database.after_commit import notify_after_commit
from shared.database.engine import Database

pytestmark = pytest.mark.integration


@pytest.fixture
async def heard(database: Database) -> AsyncIterator["asyncio.Queue[str]"]:
    """Channels of the notifications that came."""
    found = asyncio.Queue[str]()
    async with database.direct() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        for channel in ("one", "two"):
            await driver.add_listener(channel, lambda *got: found.put_nowait(got[2]))
        yield found


async def test_a_notification_follows_the_commit(
    database: Database, heard: "asyncio.Queue[str]"
) -> None:
    async with asyncio.timeout(10):
        async with database.transaction() as session:
            notify_after_commit(session, "one")
            notify_after_commit(session, "two")
            async with session.begin_nested():
                await session.execute(text("SELECT 1"))
            await asyncio.sleep(0.1)
            assert heard.empty()
        assert sorted([await heard.get(), await heard.get()]) == ["one", "two"]
        async with database.session() as session:
            notify_after_commit(session, "one")
            await session.execute(text("SELECT 1"))
            await session.commit()
        assert await heard.get() == "one"


async def test_many_commits_at_once_share_notifications(
    database: Database, heard: "asyncio.Queue[str]"
) -> None:
    async def commit() -> None:
        async with database.transaction() as session:
            notify_after_commit(session, "one")
            await session.execute(text("SELECT 1"))

    await asyncio.gather(*(commit() for _ in range(20)))
    await asyncio.wait_for(heard.get(), 10)
    await asyncio.sleep(0.2)
    assert heard.qsize() < 20


async def test_what_is_on_its_way_is_sent_before_the_end(
    database: Database, heard: "asyncio.Queue[str]"
) -> None:
    other = Database(database.url)
    async with other.transaction() as session:
        notify_after_commit(session, "one")
    await other.dispose()
    assert await asyncio.wait_for(heard.get(), 10) == "one"


async def test_without_a_server_nothing_is_raised(database: Database) -> None:
    away = Database("postgresql://cosmo@127.0.0.1:1/cosmo")
    async with away.session() as session:
        notify_after_commit(session, "one")
        with pytest.raises(OSError, match="onnect"):
            await session.execute(text("SELECT 1"))
    await away.dispose()
