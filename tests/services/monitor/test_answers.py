"""Answers that are kept, and when they are made anew."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import event
from starlette.requests import Request

from services.monitor.answers import Answers
from services.monitor.notices import Notices
from shared.database.engine import Database
from shared.jobs.events import NewEvent, Outbox, record_event

pytestmark = pytest.mark.integration


_REQUEST = Request(
    {"type": "http", "method": "GET", "path": "/monitors", "query_string": b"", "headers": [], "server": ("x", 1)}
)


class Asked:
    """Counts how often an answer is made, and statements that reach the database."""

    def __init__(self) -> None:
        self.made = 0
        self.statements = 0

    async def make(self) -> int:
        self.made += 1
        return self.made


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


async def test_the_database_is_asked_only_when_there_is_news(database: Database, asked: Asked) -> None:
    notices = Notices(database)
    answers = Answers(notices)

    async def body() -> bytes:
        async with database.session() as session:
            return bytes((await answers.give(_REQUEST, session, asked.make)).body)

    async def listening() -> bool:
        return notices.told is not None

    async with notices.listening():
        await _until(listening)
        assert await body() == b"1"
        before = asked.statements
        assert await body() == b"1"
        assert asked.statements == before
        async with database.transaction() as session:
            await record_event(session, "gain", NewEvent("monitor.updated"), Outbox())

        async def renewed() -> bool:
            return await body() == b"2"

        await _until(renewed)
    assert notices.told is None
    assert asked.made == 2


async def test_without_notifications_it_is_asked_each_time(database: Database, asked: Asked) -> None:
    answers = Answers(Notices(database))
    for _ in range(2):
        async with database.session() as session:
            await answers.give(_REQUEST, session, asked.make)
    assert (asked.made, asked.statements) == (1, 2)
