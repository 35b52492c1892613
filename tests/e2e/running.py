"""COSMO on embedded servers, as a test drives it."""

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
from sqlalchemy import Executable
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from cosmo.client import Client
from cosmo.launcher.stack import LocalStack
from services.archive.scan import scan
from services.archive.sources import open_source
from shared.database.engine import Database
from shared.database.schema import migrate
from shared.errors import CosmoError
from shared.jobs.events import Outbox, send
from shared.worker.broker import Messenger, make_broker

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

    def rows(self, query: Executable) -> list[Any]:
        """Read rows of the database."""
        with self.connected() as (runner, connection):
            return list(runner.run(connection.execute(query)).all())

    @contextlib.contextmanager
    def connected(self) -> Iterator[tuple[asyncio.Runner, AsyncConnection]]:
        """Open a connection of the test's own to Postgres."""
        with asyncio.Runner() as runner:
            database = Database(self.machine.environment["COSMO_DATABASE_URL"])
            connection = runner.run(database.engine.connect().start())
            try:
                yield runner, connection
            finally:
                runner.run(connection.close())
                runner.run(database.dispose())

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a service."""
        os.kill(self.machine.pids()[name], number)

    def calcos(self) -> psutil.Process | None:
        """Return the process that runs CalCOS.

        A child of the calibrator's template, once it is at work.
        """
        return calcos_below(psutil.Process(self.machine.pids()["calibrator-1"]))

    def wait_for_calcos(self) -> psutil.Process:
        """Wait until CalCOS is at work, and return its process."""
        found: list[psutil.Process | None] = []

        def at_work() -> bool:
            found.append(self.calcos())
            return found[-1] is not None

        self.wait(at_work, "CalCOS to run")
        process = found[-1]
        assert process is not None
        return process


def calcos_below(worker: psutil.Process) -> psutil.Process | None:
    """Return the process that runs CalCOS for a calibrator, once it is at work."""
    below = (process for template in worker.children() for process in template.children())
    return next((process for process in below if sum(process.cpu_times()[:2]) > 1.0), None)


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
