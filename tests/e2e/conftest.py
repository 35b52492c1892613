"""A running COSMO on embedded servers."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from cosmo.client import Client
from cosmo.launcher.stack import LocalStack
from services.archive.scan import scan
from services.archive.sources import open_source
from shared.database.engine import Database
from shared.database.schema import migrate
from shared.errors import CosmoError
from shared.jobs.events import Outbox, send
from shared.worker.broker import Messenger, make_broker
from tests.e2e.browser import Browser, find_browser

_WAIT_SECONDS = 150.0
_AWAY = (CosmoError, LookupError, OSError, RedisError, SQLAlchemyError)
"""What a look at COSMO ends with while a part of it is away."""


class Running:
    """COSMO as a test drives it: scan, wait, look, and kill."""

    def __init__(self, machine: LocalStack) -> None:
        self.machine = machine
        self.client = Client(machine.url, machine.token)

    def scan(self, source: Path) -> None:
        """Look at a source once."""

        async def run() -> None:
            database = Database(self.machine.environment["COSMO_DATABASE_URL"])
            broker = make_broker(self.machine.environment["COSMO_REDIS_URL"])
            outbox = Outbox()
            await scan(database, open_source(str(source)), outbox)
            await send(Messenger(broker), outbox)
            broker.close()
            await database.dispose()

        asyncio.run(run())

    def state(self, rootname: str) -> str:
        """Return the state of a dataset."""
        return self.client.dataset(rootname).state

    def events(self, rootname: str) -> list[str]:
        """List what happened to a dataset, without the attempts."""
        return [
            item.name for item in self.client.timeline(rootname) if item.name != "attempt.started"
        ]

    def attempts(self, rootname: str, stage: str) -> list[dict[str, Any]]:
        """List the attempts at a stage of a dataset, oldest first."""
        timeline = self.client.timeline(rootname)
        items = [
            {"at": item.at, **item.detail} for item in timeline if item.name == "attempt.started"
        ]
        return [item for item in items if item["stage"] == stage]

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something, keeping the services up as `cosmo up` does."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            self.machine.check()
            try:
                if condition():
                    return
            except _AWAY as error:
                problem = f": {error}"
            else:
                problem = ""
            time.sleep(0.2)
        pytest.fail(f"waited {_WAIT_SECONDS:.0f} s for {what}{problem}")

    def wait_for(self, rootname: str, *states: str) -> None:
        """Wait until a dataset is in one of these states."""
        self.wait(lambda: self.state(rootname) in states, f"{rootname} to be {' or '.join(states)}")

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a service."""
        os.kill(self.machine.pids()[name], number)

    def calcos(self) -> psutil.Process | None:
        """Return the process that runs CalCOS.

        A child of the calibrator's template, once it is at work.
        """
        return calcos_below(psutil.Process(self.machine.pids()["calibrator-1"]))


def calcos_below(worker: psutil.Process) -> psutil.Process | None:
    """Return the process that runs CalCOS for a calibrator, once it is at work."""
    below = (process for template in worker.children() for process in template.children())
    return next((process for process in below if sum(process.cpu_times()[:2]) > 1.0), None)


@pytest.fixture
def start(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Running]]:
    """Start COSMO in the test's folder, with pauses so short that a test need not wait for them."""
    monkeypatch.setenv("COSMO_JOBS__LEASE_SECONDS", "6")
    monkeypatch.setenv("COSMO_JOBS__SWEEP_SECONDS", "1")
    monkeypatch.setenv("COSMO_JOBS__RESEND_SECONDS", "3")
    monkeypatch.setenv("COSMO_JOBS__BACKOFF_SECONDS", "1")
    monkeypatch.setenv("COSMO_JOBS__GRACE_SECONDS", "1")
    # What monitors compute is looked at elsewhere, and takes as long as everything before.
    monkeypatch.setenv("COSMO_MONITOR__QUIET_SECONDS", "3600")
    monkeypatch.setenv("COSMO_MONITOR__LONGEST_WAIT_SECONDS", "3600")
    with contextlib.ExitStack() as stack:

        def enter(**options: Any) -> Running:
            machine = LocalStack(tmp_path / "data", references=data_dir / "references", **options)
            return Running(started(stack.enter_context(machine)))

        yield enter


@pytest.fixture
def running(start: Callable[..., Running]) -> Running:
    return start()


def started(machine: LocalStack) -> LocalStack:
    """Start the servers and the services."""
    machine.start_servers()

    async def prepare() -> None:
        database = Database(machine.environment["COSMO_DATABASE_URL"])
        await migrate(database)
        await database.dispose()

    asyncio.run(prepare())
    machine.start_services()
    return machine


@pytest.fixture(scope="package")
def processed(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Iterator[Running]:
    """COSMO with the real association processed; tests that share it only look."""
    with LocalStack(
        tmp_path_factory.mktemp("processed"), references=data_dir / "references"
    ) as machine:
        running = Running(started(machine))
        running.scan(data_dir / "ldfd01010" / "raw")
        for rootname in ("ldfd01010", "ldfd01vlq"):
            running.wait_for(rootname, "ingested", "failed")
        yield running


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Real browser; where there is none the test skips, or fails when a browser is required."""
    program = find_browser()
    if program is None:
        reason = "no chromium, chromium-browser or google-chrome on PATH"
        if os.environ.get("COSMO_TEST_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with Browser(program, tmp_path_factory.mktemp("browser")) as browser:
        yield browser
