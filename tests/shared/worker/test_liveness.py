"""Liveness of real worker processes: a blocked event loop, and threads that hang or end."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import Database
from shared.database.models.operations import Dataset, Stage
from shared.jobs.events import Outbox, add_job, send
from shared.jobs.routing import NewJob
from shared.worker.broker import Messenger

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
SECONDS = 120.0
"""In which a process starts and notices things however busy the machine is."""

PROGRAM = """
import asyncio, ctypes, signal, sys, threading, time
from pathlib import Path
from dramatiq.worker import ConsumerThread, WorkerThread
from shared.database.models.operations import Stage
from shared.service import start_service
from shared.worker import health, heartbeat, process, wakeup

heartbeat._LOOP_SECONDS, process._UNPOLLED_SECONDS = 2.5, 5.0
health._LOOP_SECONDS = 2.0
folder = Path(sys.argv[1])


async def work(job):
    (folder / "started").touch()
    while True:
        await asyncio.sleep(0.1)


def end(kind):
    for thread in threading.enumerate():
        if isinstance(thread, kind) and getattr(thread, "queue_name", "ingest") == "ingest":
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
            )


polling, hung = wakeup._WakeupConsumer.__next__, threading.Event()


def poll(consumer):
    while hung.is_set() and consumer._inner.queue_name == "ingest":
        time.sleep(0.1)
    return polling(consumer)


wakeup._WakeupConsumer.__next__ = poll
actions = {
    signal.SIGUSR1: lambda: time.sleep(7),
    signal.SIGUSR2: lambda: end(WorkerThread),
    signal.SIGHUP: lambda: end(ConsumerThread),
    signal.SIGALRM: hung.set,
}
for number, action in actions.items():
    signal.signal(number, lambda *_, action=action: action())
process.run_worker(
    "tester", start_service("tester"), lambda database: {Stage.INGEST_RAW: work}, threads=2
)
"""
"""A worker whose jobs do not end, and to which signals do what must not happen."""


@dataclass(frozen=True)
class Worker:
    """The process and the port of its health."""

    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path

    def ask(self, probe: str) -> tuple[int, str]:
        """Return the status of a probe, and the reason for it."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/health/{probe}", timeout=10)
        except httpx.TransportError:
            return 0, ""
        return answer.status_code, answer.json().get("reason", "")

    def wait(self, probe: str, status: int) -> str:
        """Wait for the status of a probe; returns the reason."""
        deadline = time.monotonic() + SECONDS
        while (found := self.ask(probe))[0] != status:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found[1]

    def wait_for(self, fault: str) -> None:
        """Wait until the process says that it is not alive for a reason, a regular expression."""
        deadline = time.monotonic() + SECONDS
        while not re.search(fault, (found := self.ask("live"))[1]):
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, found
            time.sleep(0.1)

    def wait_for_job(self) -> None:
        """Wait until a job runs."""
        deadline = time.monotonic() + SECONDS
        while not (self.folder / "started").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def expect_life(self, seconds: float) -> None:
        """Fail if the process says for some time that it is not alive."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            assert self.ask("live") == (200, "")
            time.sleep(0.5)


@contextmanager
def _worker(postgres: EmbeddedPostgres, valkey: EmbeddedValkey, folder: Path) -> Iterator[Worker]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "COSMO_DATABASE_URL": postgres.url,
        "COSMO_REDIS_URL": valkey.url,
        "COSMO_STORE_URL": f"file://{folder / 'store'}",
        "COSMO_HEALTH_PORT": str(port),
        "COSMO_JOBS__GRACE_SECONDS": "0",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder)], stderr=log, env=environment
        )
    try:
        worker = Worker(process, port, folder)
        worker.wait("ready", 200)
        yield worker
    finally:
        process.kill()
        process.wait()


async def test_what_is_silent_is_named_and_a_long_job_is_not_silent(
    postgres: EmbeddedPostgres,
    valkey: EmbeddedValkey,
    database: Database,
    messenger: Messenger,
    tmp_path: Path,
) -> None:
    outbox = Outbox()
    async with database.transaction() as session:
        dataset = Dataset(rootname="ldfd01010", kind="association")
        session.add(dataset)
        await session.flush()
        await add_job(session, dataset.id, NewJob(Stage.INGEST_RAW, {}, {}), outbox)
    await send(messenger, outbox)
    with _worker(postgres, valkey, tmp_path) as worker:
        worker.wait_for_job()
        worker.expect_life(7)  # longer than anything may be silent

        worker.process.send_signal(signal.SIGUSR1)
        reason = worker.wait("live", 503)
        assert reason.startswith("the event loop is silent, last seen ")
        assert worker.ask("ready") == (503, "the event loop: no answer within 2 s")
        worker.wait("live", 200)

        worker.process.send_signal(signal.SIGALRM)
        reason = worker.wait("live", 503)
        assert reason.startswith("the consumer of ingest is silent, last seen ")
        worker.process.send_signal(signal.SIGHUP)
        worker.wait_for("the consumer of ingest ended, last seen ")
        worker.process.send_signal(signal.SIGUSR2)
        # The thread that works on the job takes this for the job's error and goes on.
        worker.wait_for(r"worker thread \d ended, last seen ")
