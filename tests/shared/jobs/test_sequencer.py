"""Places of events in the feed, on a real Postgres."""

import asyncio
import contextlib
import random
import sys

import pytest
from sqlalchemy import delete, func, select

from shared.database.engine import Database
from shared.database.locks import AdvisoryLock
from shared.database.models.operations import Event
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event, record_events
from shared.jobs.sequencer import keep_sequencing, place_events
from tests.shared.jobs.work import add_dataset

pytestmark = pytest.mark.integration

_WRITERS, _ROUNDS = 8, 12
_LEADER = """
import asyncio, sys
from shared.database.engine import Database
from shared.jobs.sequencer import keep_sequencing
asyncio.run(keep_sequencing(Database(sys.argv[1])))
"""


async def _record(database: Database, mark: object) -> None:
    async with database.transaction() as session:
        changed = NewEvent(EventName.TABLES_CHANGED, {"mark": mark})
        await record_event(session, None, changed, Outbox())


async def _read(database: Database, after: int) -> list[tuple[int, object]]:
    """Read the feed after a place: places and marks."""
    query = select(Event.sequence, Event.detail["mark"]).where(Event.sequence > after)
    async with database.session() as session:
        return [(place, mark) for place, mark in await session.execute(query.order_by("sequence"))]


async def _follow(database: Database, wanted: int) -> list[object]:
    """Follow the feed as its readers do, until so many events were seen."""
    seen, after = list[object](), 0
    while len(seen) < wanted:
        for place, mark in await _read(database, after):
            after = place
            seen.append(mark)
        await asyncio.sleep(0.005)
    return seen


async def _until_read(database: Database, mark: object) -> None:
    while mark not in [found for _, found in await _read(database, 0)]:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def test_a_reader_sees_each_event_once_though_commits_overtake_each_other(
    database: Database, sequencer: None
) -> None:
    overtaken = list[bool]()

    async def write(writer: int) -> None:
        for number in range(_ROUNDS):
            async with database.transaction() as session:
                changed = NewEvent(EventName.TABLES_CHANGED, {"mark": f"{writer} {number}"})
                await record_event(session, None, changed, Outbox())
                mine = (await session.execute(select(func.max(Event.id)))).scalar_one()
                await asyncio.sleep(random.uniform(0.0, 0.03))
                newest = (await session.execute(select(func.max(Event.id)))).scalar_one()
            overtaken.append(newest > mine)

    following = asyncio.ensure_future(_follow(database, _WRITERS * _ROUNDS))
    await asyncio.gather(*(write(writer) for writer in range(_WRITERS)))
    async with asyncio.timeout(30):
        seen = await following
    assert any(overtaken)
    assert sorted(map(str, seen)) == sorted(
        f"{writer} {number}" for writer in range(_WRITERS) for number in range(_ROUNDS)
    )
    for writer in range(_WRITERS):  # each waited for its own commits
        own = [mark for mark in seen if str(mark).startswith(f"{writer} ")]
        assert own == [f"{writer} {number}" for number in range(_ROUNDS)]


async def test_an_event_that_commits_late_comes_after_what_is_in_the_feed(
    database: Database,
) -> None:
    async with database.transaction() as session:
        await record_event(
            session, None, NewEvent(EventName.TABLES_CHANGED, {"mark": "late"}), Outbox()
        )
        await _record(database, "early")
        assert await place_events(database) == 1
    assert [mark for _, mark in await _read(database, 0)] == ["early"]
    assert await place_events(database) == 1
    assert [mark for _, mark in await _read(database, 0)] == ["early", "late"]
    async with database.session() as session:
        by_id = select(Event.detail["mark"]).order_by(Event.id)
        assert (await session.execute(by_id)).scalars().all() == ["late", "early"]


async def test_places_are_not_given_again_after_events_are_deleted(database: Database) -> None:
    await _record(database, 1)
    await place_events(database)
    ((place, _),) = await _read(database, 0)
    async with database.transaction() as session:
        await session.execute(delete(Event))
    await _record(database, 2)
    await place_events(database)
    ((after, mark),) = await _read(database, place)
    assert (mark, after > place) == (2, True)


async def test_one_at_a_time_gives_places(database: Database) -> None:
    await _record(database, 1)
    async with database.transaction() as session:
        await session.execute(select(func.pg_advisory_xact_lock(AdvisoryLock.EVENTS)))
        assert await place_events(database) == 0
    assert await place_events(database) == 1
    assert await place_events(database) == 0


async def test_events_of_a_dataset_keep_their_order(database: Database) -> None:
    datasets = [await add_dataset(database, rootname=f"ldfd0{number}010") for number in range(3)]
    names = (EventName.JOB_RETRIED, EventName.JOB_REQUEUED, EventName.JOB_DROPPED)
    async with database.transaction() as session:
        await record_events(session, [(one, NewEvent(name)) for one in datasets for name in names])
    await place_events(database)
    async with database.session() as session:
        found = await session.execute(select(Event.dataset_id, Event.name).order_by(Event.sequence))
        assert found.all() == [(one, name) for one in datasets for name in names]


async def test_a_backlog_is_placed_whatever_its_size(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.jobs.sequencer._BATCH", 4)
    for number in range(10):
        await _record(database, number)
    assert [await place_events(database) for _ in range(4)] == [4, 4, 2, 0]
    assert [mark for _, mark in await _read(database, 0)] == list(range(10))


async def test_the_next_leader_goes_on_where_a_killed_one_ended(
    database: Database,
) -> None:
    async def led() -> bool:
        free = select(func.pg_try_advisory_xact_lock(AdvisoryLock.SEQUENCER))
        async with database.transaction() as session:
            return not (await session.execute(free)).scalar()

    leader = await asyncio.create_subprocess_exec(sys.executable, "-c", _LEADER, database.url)
    try:
        async with asyncio.timeout(60):
            while not await led():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        rival = asyncio.ensure_future(keep_sequencing(database))
        try:
            await _record(database, "by the first")
            async with asyncio.timeout(10):
                await _until_read(database, "by the first")
            leader.kill()
            await leader.wait()
            await _record(database, "by the next")
            async with asyncio.timeout(10):
                await _until_read(database, "by the next")
        finally:
            rival.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            leader.kill()
        await leader.wait()
    assert [mark for _, mark in await _read(database, 0)] == ["by the first", "by the next"]
