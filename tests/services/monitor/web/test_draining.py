"""End of a web process: it says so, later listens no more, and finishes what it has begun."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.services.monitor.web.web_process import web_process

pytestmark = pytest.mark.integration


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _is_closed(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


async def test_a_process_drains(seeded: Any, tmp_path: Path) -> None:
    health = _free_port()
    ready = f"http://127.0.0.1:{health}/health/ready"
    delay = {"COSMO_API__DRAIN_SECONDS": "4", "COSMO_HEALTH_PORT": str(health)}
    with web_process(seeded.settings, tmp_path, **delay) as found:
        async with httpx.AsyncClient(timeout=30) as web:
            assert (await web.get(ready)).status_code == 200
            async with (
                seeded.database.transaction() as session,
                web.stream("GET", f"{found.url}/events") as stream,
            ):
                lines = stream.aiter_lines()
                assert await anext(lines) == "retry: 2000"
                await session.execute(text("LOCK TABLE jobs"))
                slow = asyncio.ensure_future(web.get(f"{found.url}/jobs"))
                await asyncio.sleep(0.3)
                found.process.send_signal(signal.SIGTERM)

                async with asyncio.timeout(20):
                    while (await web.get(ready)).status_code == 200:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                    answer = await web.get(f"{found.url}/datasets")
                    while "connection" not in answer.headers:  # they are made once a second
                        answer = await web.get(f"{found.url}/datasets")
                assert (answer.status_code, answer.headers["connection"]) == (200, "close")
                answer = await web.get(f"{found.url}/health/ready")
                assert answer.status_code == 503
                assert answer.json()["error"]["message"].startswith("stopping")
                assert (await web.get(ready)).json()["reason"].startswith("stopping")

                assert [line async for line in lines if line] == []  # the stream is ended
                async with asyncio.timeout(20):
                    while not await _is_closed(found.port):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                assert not slow.done()
            assert (await slow).status_code == 200
        await asyncio.to_thread(found.process.wait, 20)


async def test_a_blocked_loop_is_not_alive(seeded: Any, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import signal, time\n"
        "from shared.worker import heartbeat\n"
        "heartbeat._LOOP_SECONDS = 2.0\n"
        "signal.signal(signal.SIGUSR1, lambda *_: time.sleep(6))\n"
    )
    health = _free_port()
    live = f"http://127.0.0.1:{health}/health/live"
    root = str(Path(__file__).parents[4])
    environment = {"PYTHONPATH": f"{tmp_path}:{root}", "COSMO_HEALTH_PORT": str(health)}
    with web_process(seeded.settings, tmp_path, **environment) as found:
        async with httpx.AsyncClient(timeout=30) as web, asyncio.timeout(60):
            assert (await web.get(live)).status_code == 200
            found.process.send_signal(signal.SIGUSR1)
            while (answer := await web.get(live)).status_code == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            assert answer.json()["reason"].startswith("the event loop is silent, last seen ")
            while (await web.get(live)).status_code == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            assert (await web.get(f"{found.url}/health/live")).status_code == 200
