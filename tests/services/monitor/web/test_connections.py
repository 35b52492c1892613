"""Connections of the web process: slow, many, silent and large ones."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from services.monitor.web.protection import connections
from tests.services.monitor.web.web_process import WebProcess, web_process

_HEAD = (
    b"POST /api/v1/calibrations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
)
_PART = b"[[]," * (1 << 16)


@pytest.fixture
def web(seeded: Any, tmp_path: Path) -> Iterator[WebProcess]:
    """Web process."""
    with web_process(
        seeded.settings, tmp_path, COSMO_API__TOKENS='{"operator": "correct horse"}'
    ) as found:
        yield found


def _status(connection: socket.socket) -> int:
    """Return the status of an answer; 0 where there is none."""
    try:
        line = connection.makefile("rb").readline()
    except ConnectionError:
        return 0
    return int(line.split()[1]) if line else 0


def _sent(connection: socket.socket, part: bytes) -> int:
    """Send a part again and again; gives how often it was taken."""
    for number in range(20_000):
        try:
            connection.sendall(part)
        except OSError:
            return number
    return 20_000


def _pump(connection: socket.socket, head: bytes, size: int) -> float:
    """Send a request with a body of so many bytes, as far as it is taken.

    Gives the time until the answer begins, s.
    """
    started = time.monotonic()
    connection.sendall(head)
    connection.setblocking(False)
    sent = 0
    while time.monotonic() - started < 10:
        try:
            if connection.recv(1, socket.MSG_PEEK):
                break
        except BlockingIOError:
            pass
        if sent < size:
            try:
                sent += connection.send(_PART)
            except BlockingIOError:
                time.sleep(0.001)
    connection.settimeout(20)
    return time.monotonic() - started


@pytest.mark.integration
def test_a_large_body_without_a_token_costs_nothing(web: WebProcess) -> None:
    size = 60_000_000
    chunked = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size
    announced = _HEAD + b"Content-Length: %d\r\n\r\n" % size
    strange = announced.replace(b"/calibrations", b"/nothing")
    for _ in range(5):
        httpx.get(f"{web.url}/datasets", timeout=60)
        httpx.post(f"{web.url}/calibrations", timeout=60)
    before, seconds = web.memory(), []
    for head in (announced, chunked, strange) * 2:
        with web.connect() as connection:
            seconds.append(_pump(connection, head, size))
            assert _status(connection) == 401
    assert min(seconds) < 0.1
    assert web.most_memory() - before < 10_000_000
    with web.connect() as connection:
        # The whole of it may be sent, and the connection used again.
        connection.sendall(announced)
        connection.sendall(b"[" * size)
        connection.sendall(
            b"GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"401", b"200"]
    assert web.most_memory() - before < 10_000_000


@pytest.mark.integration
def test_a_thousand_slow_connections_keep_nobody_waiting(web: WebProcess) -> None:
    slow = [web.connect(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ") for _ in range(1000)]
    try:
        for number in range(20):
            started = time.monotonic()
            assert httpx.get(f"{web.url}/datasets", timeout=60).status_code == 200
            assert time.monotonic() - started < 20
            slow[-number - 1].sendall(b"a")
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.integration
def test_endless_heads_and_trailers_are_refused(web: WebProcess) -> None:
    line = b"X-Long: " + b"a" * 1000 + b"\r\n"
    trailers = b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    for begin, part in (
        (b"GET / HTTP/1.1\r\n", line),
        (b"GET /", b"a" * 1000),
        (trailers, line),
        (b"", b"\r\n" * 500),
    ):
        with web.connect(begin) as connection:
            assert _sent(connection, part) < 20_000  # it hangs up
    assert httpx.get(f"{web.url}/health/live", timeout=60).status_code == 200


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once without reading the body, or, at /long, without an end."""
    if scope["type"] == "lifespan":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/long" and not (await _gone(receive)):
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
    await send({"type": "http.response.body", "body": b"done"})


async def _gone(receive: Receive) -> bool:
    try:
        async with asyncio.timeout(0.001):
            return str((await receive())["type"]) == "http.disconnect"
    except TimeoutError:
        return False


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Port of a server of three connections, with short waits."""
    monkeypatch.setattr(connections, "_MOST", 3)
    monkeypatch.setattr(connections, "_HEADER_SECONDS", 0.4)
    monkeypatch.setattr(connections, "_STALLED_SECONDS", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            _answer, http=connections.Connection, ws="none", lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)

        async def look() -> None:
            while True:
                connections.sweep(
                    server.server_state.connections, asyncio.get_running_loop().time()
                )
                await asyncio.sleep(0.05)

        tasks = asyncio.create_task(server.serve(sockets=[listening])), asyncio.create_task(look())
        yield int(listening.getsockname()[1])
        server.should_exit = server.force_exit = True
        tasks[1].cancel()
        await tasks[0]


async def _open(port: int, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    writer.write(sent)
    await writer.drain()
    return reader, writer


async def _trickle(writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then until nobody takes it."""
    with suppress(OSError):
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.05)


_GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_headers_must_be_complete_in_time(port: int) -> None:
    for begun in (b"", b"GET / HT"):
        started = time.monotonic()
        reader, _ = await _open(port, begun)
        assert b"HTTP/1.1 408 " in await reader.read()
        assert time.monotonic() - started > 0.3
    for begun in (b"GET / HTTP/1.1\r\nX-Slow: ", _GET + b"GET / HTTP/1.1\r\nX-Slow: "):
        _, writer = await _open(port, begun)
        await asyncio.wait_for(_trickle(writer), 10)


async def test_errors_of_the_connection_have_the_one_shape(port: int) -> None:
    long = b"GET / HTTP/1.1\r\nX-Long: " + b"a" * (1 << 16)
    for sent, status, kind in (
        (b"GET /", 408, "slow_headers"),
        (b"\0\0 no HTTP\r\n\r\n", 400, "bad_request"),
        (long, 431, "too_large"),
    ):
        reader, _ = await _open(port, sent)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert f"content-length: {len(body)}\r\n".encode() in head
        error = json.loads(body)["error"]
        assert (error["type"], set(error)) == (kind, {"type", "message", "detail"})


async def test_the_rest_of_a_body_that_was_answered_must_come_in_time(port: int) -> None:
    reader, writer = await _open(
        port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    )
    assert b" 200 " in await reader.readline()
    await asyncio.wait_for(_trickle(writer), 10)


async def test_who_takes_nothing_of_an_answer_is_given_up(port: int) -> None:
    loop, ask = asyncio.get_running_loop(), b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", port)) as stalled,
        socket.create_connection(("127.0.0.1", port)) as slow,
    ):
        for connection in (stalled, slow):
            connection.setblocking(False)
            await loop.sock_sendall(connection, ask)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            assert await loop.sock_recv(slow, 100_000)
            await asyncio.sleep(0.01)
        with suppress(ConnectionError):
            async with asyncio.timeout(10):
                while await loop.sock_recv(stalled, 1 << 20):
                    pass


async def test_the_longest_silent_connection_makes_room(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_HEADER_SECONDS", 60.0)
    monkeypatch.setattr(connections, "_STALLED_SECONDS", 60.0)
    silent = [await _open(port, b"GET /") for _ in range(3)]
    reader, _ = await _open(port, _GET)
    assert b" 200 " in await reader.readline()
    assert await silent[0][0].read() == b""
    busy = [await _open(port, b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(3)]
    for taken, _ in busy:
        assert b" 200 " in await taken.readline()
    reader, _ = await _open(port, _GET)
    assert b" 503 " in await reader.readline()
    for _, writer in busy:
        writer.transport.abort()
