"""Cached responses about monitors, and when they are made again."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from typing import IO

import pytest
from fastapi import Response
from sqlalchemy import QueuePool, event
from starlette.requests import Request

from services.monitor.tables.writers import UnnamedFile
from services.monitor.web.event_feed import EventFeed
from services.monitor.web.lru_cache import LruCache
from services.monitor.web.response_cache import ResponseCache
from services.monitor.web.table_responses import FileResponse
from shared.database.engine import Database
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event

pytestmark = pytest.mark.integration


_REQUEST = Request(
    {
        "type": "http",
        "method": "GET",
        "path": "/monitors",
        "query_string": b"",
        "headers": [],
        "server": ("x", 1),
    }
)


class Asked:
    """Counts how often an answer is made, and statements that reach the database."""

    def __init__(self) -> None:
        self.made = 0
        self.statements = 0

    async def make(self, _request: Request) -> Response:
        self.made += 1
        return Response(str(self.made))


@pytest.fixture
def asked(database: Database) -> Asked:
    asked = Asked()

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def count(*_: object) -> None:
        asked.statements += 1

    return asked


async def _until(reached: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(200):
        if await reached():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen within 10 s")


@pytest.mark.usefixtures("sequencer")
async def test_the_database_is_asked_only_when_there_is_news(
    database: Database, asked: Asked
) -> None:
    notices = EventFeed(database)
    answers = ResponseCache(database, notices)

    async def body() -> bytes:
        return bytes((await answers.respond(_REQUEST, asked.make)).body)

    async def listening() -> bool:
        return notices.notification_count is not None

    async with notices.listening():
        await _until(listening)
        assert await body() == b"1"
        before = asked.statements
        assert await body() == b"1"
        assert asked.statements == before
        async with database.transaction() as session:
            await record_event(session, "gain", NewEvent(EventName.MONITOR_UPDATED), Outbox())

        async def renewed() -> bool:
            return await body() == b"2"

        await _until(renewed)
    assert notices.notification_count is None
    assert asked.made == 2


async def test_without_notifications_it_is_asked_each_time(
    database: Database, asked: Asked
) -> None:
    answers = ResponseCache(database, EventFeed(database))
    for _ in range(2):
        await answers.respond(_REQUEST, asked.make)
    assert (asked.made, asked.statements) == (1, 2)


async def test_only_so_much_is_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.monitor.web.response_cache._MOST_BYTES", 250)
    answers = ResponseCache(database, EventFeed(database))
    made: list[str] = []

    async def ask(query: str, answer: Callable[[], Response]) -> Response:
        request = Request({**_REQUEST.scope, "query_string": query.encode()})

        async def make(_request: Request) -> Response:
            made.append(query)
            return answer()

        return await answers.respond(request, make)

    for query in ("a", "b", "a", "c", "a", "b"):  # of 100 bytes each: "b" had to go for "c"
        assert (await ask(query, lambda: Response(b"x" * 100))).body == b"x" * 100
    assert made == ["a", "b", "c", "b"]


async def test_many_who_wait_for_an_answer_get_the_same(database: Database, asked: Asked) -> None:
    answers = ResponseCache(database, EventFeed(database))

    async def make(request: Request) -> Response:
        await asyncio.sleep(0.2)
        return await asked.make(request)

    async def ask() -> bytes:
        return bytes((await answers.respond(_REQUEST, make)).body)

    assert set(await asyncio.gather(*(ask() for _ in range(8)))) == {b"1"}


async def test_who_waits_for_an_answer_that_fails_is_told_why(
    database: Database, asked: Asked
) -> None:
    answers = ResponseCache(database, EventFeed(database))

    async def make(request: Request) -> Response:
        await asyncio.sleep(0.1)
        answer = await asked.make(request)
        if asked.made == 1:
            raise ValueError("the first one")
        return answer

    async def ask() -> bytes:
        return bytes((await answers.respond(_REQUEST, make)).body)

    both = await asyncio.gather(ask(), ask(), return_exceptions=True)
    assert [str(one) for one in both] == ["the first one"] * 2
    assert await ask() == b"2"


async def test_who_goes_away_does_not_take_it_from_the_others(
    database: Database, asked: Asked
) -> None:
    answers = ResponseCache(database, EventFeed(database))

    async def make(request: Request) -> Response:
        await asyncio.sleep(0.2)
        return await asked.make(request)

    async def ask() -> bytes:
        return bytes((await answers.respond(_REQUEST, make)).body)

    first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
    await asyncio.sleep(0.1)
    first.cancel()
    assert await second == b"1"


async def test_who_waits_holds_no_connection(database: Database) -> None:
    answers, waited = ResponseCache(database, EventFeed(database)), asyncio.Event()

    async def make(request: Request) -> Response:
        await waited.wait()
        return Response()

    async def ask() -> None:
        await answers.respond(_REQUEST, make)

    waiting = [
        asyncio.create_task(ask()) for _ in range(30)
    ]  # three times as many as there are connections
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)

    async def idle() -> bool:
        return len(answers._making) == 1 and pool.checkedout() == 0

    await asyncio.sleep(0.5)
    await _until(idle)
    waited.set()
    await asyncio.gather(*waiting)


async def test_a_run_of_another_monitor_changes_nothing(database: Database, asked: Asked) -> None:
    answers = ResponseCache(database, EventFeed(database))

    async def ask(monitor: str | None) -> None:
        request = Request({**_REQUEST.scope, "query_string": str(monitor).encode()})
        await answers.respond(request, asked.make, monitor=monitor)

    async def happen(monitor: str) -> None:
        async with database.transaction() as session:
            await record_event(session, monitor, NewEvent(EventName.MONITOR_UPDATED), Outbox())

    for monitor in ("gain", None):
        await ask(monitor)
    await happen("stims")
    await ask("gain")
    assert asked.made == 2
    await ask(None)
    assert asked.made == 3
    await happen("gain")
    await ask("gain")
    assert asked.made == 4


async def test_an_event_that_commits_late_makes_a_response_invalid(
    database: Database, asked: Asked
) -> None:
    """One that has no place in the feed yet, too: who acts through the web process sees it."""
    answers = ResponseCache(database, EventFeed(database))
    changed = NewEvent(EventName.MONITOR_UPDATED)
    async with database.transaction() as late:
        await record_event(late, "gain", changed, Outbox())
        async with database.transaction() as session:
            await record_event(session, "gain", changed, Outbox())
        await answers.respond(_REQUEST, asked.make, monitor="gain")
    await answers.respond(_REQUEST, asked.make, monitor="gain")
    assert asked.made == 2


async def test_a_file_is_given_to_everyone(database: Database, asked: Asked) -> None:
    content = bytes(range(256)) * 20_000
    file = tempfile.TemporaryFile()  # noqa: SIM115 - goes with the answers
    file.write(content)
    assert await _given_three_times(database, asked, file) == [content] * 3
    assert asked.made == 1
    assert file.closed


async def test_a_file_that_is_kept_no_more_is_closed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.monitor.web.response_cache._MOST_ON_DISK", 250)
    answers = ResponseCache(database, EventFeed(database))
    files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115 - they go with the answers
    for number, file in enumerate(files):
        file.write(b"x" * 100)
        request = Request({**_REQUEST.scope, "query_string": str(number).encode()})

        async def make(_request: Request, content: IO[bytes] = file) -> Response:
            return FileResponse(UnnamedFile(content), {}, "text/csv")

        await answers.respond(request, make)
    assert [file.closed for file in files] == [True, False, False]


async def _given_three_times(database: Database, asked: Asked, file: IO[bytes]) -> list[bytes]:
    answers, found = ResponseCache(database, EventFeed(database)), []

    async def make(request: Request) -> Response:
        await asked.make(request)
        return FileResponse(UnnamedFile(file), {}, "text/csv")

    async def ask() -> Response:
        return await answers.respond(_REQUEST, make)

    for answer in [await ask() for _ in range(3)]:
        assert isinstance(answer, FileResponse)
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        found.append(b"".join([bytes(chunk) async for chunk in answer.body_iterator]))  # type: ignore[arg-type]
    return found


async def test_an_answer_that_has_grown_large_takes_the_place_of_the_small_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is found in its own cache, and the one before is dropped."""
    dropped: list[str] = []
    drop = LruCache.drop

    def note(cache: LruCache[str, object], key: str) -> None:
        dropped.append(key)
        drop(cache, key)

    monkeypatch.setattr(LruCache, "drop", note)
    answers, made = ResponseCache(database, EventFeed(database)), []

    async def ask(answer: Response) -> Response:
        async def make(_request: Request) -> Response:
            made.append(answer)
            return answer

        return await answers.respond(_REQUEST, make)

    await ask(Response(b"small"))
    async with database.transaction() as session:
        await record_event(session, "gain", NewEvent(EventName.MONITOR_UPDATED), Outbox())
    with tempfile.TemporaryFile() as file:
        large = FileResponse(UnnamedFile(file), {}, "text/csv")
        for _ in range(2):
            assert isinstance(await ask(large), FileResponse)
    assert (len(made), len(dropped)) == (2, 1)
