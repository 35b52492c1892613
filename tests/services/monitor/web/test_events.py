"""Server-sent events from a real web process."""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from shared.database.models.operations import Dataset
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event
from tests.services.monitor.web.web_process import web_process

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("sequencer")]

_AT_ONCE = 5.0
"""Seconds, on a machine that is busy; a stream that is not notified looks after fifteen."""


@pytest.fixture
def process(seeded: Any, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Web process and its address."""
    with web_process(seeded.settings, tmp_path) as found:
        yield found.process, found.url


async def _messages(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    async for line in lines:
        if line.startswith("data: "):
            yield json.loads(line[6:])


async def _happen(seeded: Any, name: EventName) -> None:
    async with seeded.database.transaction() as session:
        dataset = (
            await session.execute(select(Dataset.id).where(Dataset.rootname == "ldfd01010"))
        ).scalar_one()
        await record_event(session, dataset, NewEvent(name), Outbox())


async def test_events_arrive_at_once_and_resume(
    seeded: Any, process: tuple[subprocess.Popen[bytes], str]
) -> None:
    url = f"{process[1]}/events"
    async with httpx.AsyncClient(timeout=60) as web:
        async with web.stream("GET", url) as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == "retry: 2000"
            await asyncio.sleep(0.3)
            messages = _messages(lines)
            started = time.monotonic()
            await _happen(seeded, EventName.JOB_RETRIED)
            first = await anext(messages)
            assert time.monotonic() - started < _AT_ONCE
            assert (first["name"], first["rootname"]) == ("job.retried", "ldfd01010")
        await _happen(seeded, EventName.JOB_DROPPED)
        async with web.stream("GET", url, headers={"Last-Event-ID": str(first["id"])}) as answer:
            assert (await anext(_messages(answer.aiter_lines())))["name"] == "job.dropped"
        async with web.stream("GET", url, params={"after": 0}) as answer:
            assert (await anext(_messages(answer.aiter_lines())))["name"] == "dataset.ingested"
        assert (await web.get(url, headers={"Last-Event-ID": "x"})).status_code == 400


async def test_events_survive_the_loss_of_the_listening_connection(
    seeded: Any, process: tuple[subprocess.Popen[bytes], str]
) -> None:
    async with (
        httpx.AsyncClient(timeout=60) as web,
        web.stream("GET", f"{process[1]}/events") as answer,
    ):
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        async with seeded.database.transaction() as session:
            ended = await session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
                    "'LISTEN%'"
                )
            )
            assert ended.scalars().all() == [True]
        await _happen(seeded, EventName.JOB_RETRIED)
        assert (await anext(_messages(lines)))["name"] == "job.retried"
        await asyncio.sleep(2.5)
        started = time.monotonic()
        await _happen(seeded, EventName.JOB_DROPPED)
        assert (await anext(_messages(lines)))["name"] == "job.dropped"
        assert time.monotonic() - started < _AT_ONCE


async def test_sigterm_ends_open_streams(process: tuple[subprocess.Popen[bytes], str]) -> None:
    server, url = process
    async with httpx.AsyncClient(timeout=60) as web, web.stream("GET", f"{url}/events") as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        started = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert [line async for line in lines if line] == []
        assert time.monotonic() - started < _AT_ONCE
    await asyncio.to_thread(server.wait, 60)


async def test_the_limit_of_streams_holds(
    seeded: Any, app: Any, web: httpx.AsyncClient, address: str
) -> None:
    most = 200
    url = address.removeprefix("http://").split(":")
    opened = await asyncio.gather(
        *(asyncio.open_connection(url[0], int(url[1])) for _ in range(most + 40))
    )
    for _, writer in opened:  # all at once: none has begun when the last one asks
        writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    lines = await asyncio.gather(*(reader.readline() for reader, _ in opened))
    assert sorted({line.split()[1] for line in lines}) == [b"200", b"503"]
    assert sum(b" 200 " in line for line in lines) == most
    for _, writer in opened:
        writer.transport.abort()  # clients that vanish
    async with asyncio.timeout(10):
        while (await web.head("/api/v1/events")).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
