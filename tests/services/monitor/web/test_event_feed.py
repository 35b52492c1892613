"""Notifications over a connection that falls silent."""

import asyncio

import pytest

from cosmo.launcher.embedded import EmbeddedPostgres
from services.monitor.web import event_feed
from services.monitor.web.event_feed import EventFeed
from shared.database.engine import Database
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.jobs.sequencer import place_events
from tests.forwarder import forwarder
from tests.shared.jobs.work import add_dataset

pytestmark = pytest.mark.integration


async def _wait(feed: EventFeed, *, listening: bool) -> None:
    while (feed.notification_count is not None) != listening:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.02)


async def test_a_silent_connection_is_noticed_and_made_again(
    database: Database, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "_HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(event_feed, "_ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(event_feed, "_RETRY_SECONDS", 0.1)
    dataset = await add_dataset(database)
    async with forwarder(postgres._sockets / ".s.PGSQL.5432") as way, asyncio.timeout(20):
        away = Database(f"postgresql://cosmo@127.0.0.1:{way.port}/postgres")
        feed = EventFeed(away)
        async with feed.listening():
            await _wait(feed, listening=True)
            await asyncio.sleep(0.5)
            assert feed.notification_count is not None  # beats do no harm
            way.passing.clear()
            with feed.subscription() as news:
                await news.wait()  # to look without being told, since nobody tells
            await _wait(feed, listening=False)
            way.passing.set()
            await _wait(feed, listening=True)
            count = feed.notification_count
            async with database.transaction() as session:
                await record_event(session, dataset, NewEvent(EventName.JOB_RETRIED), Outbox())
            with feed.subscription() as news:
                while feed.notification_count == count:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                assert not news.is_set(), "the event is not in the feed yet"
                await place_events(database)
                await news.wait()
        await away.dispose()
