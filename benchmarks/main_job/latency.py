"""From an event to the claim of the job that it causes."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import func, select

from cosmo.launcher import processes as children
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import Database
from shared.database.models.operations import Attempt, Dataset, Event, Job
from shared.database.schema import migrate
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event, send
from shared.jobs.routing import ACQUISITION
from shared.worker.broker import Messenger, make_broker

__all__ = ["measure_latencies"]

_ROOT = Path(__file__).parents[2]
_PAUSES = (0.02, 0.15)
"""Shortest and longest pause between two events, seconds: workers are idle most of the time, and at
no set phase.
"""
_LONGEST_SECONDS = 120.0


def measure_latencies(folder: Path, count: int) -> list[float]:
    """Record events one after the other, on real servers with a real worker process.

    Parameters
    ----------
    folder
        Folder that is made for the servers.
    count
        Events.

    Returns
    -------
    list of float
        Seconds from each event's row to the start of the attempt at its job, both by the clock of
        Postgres, smallest first.

    Raises
    ------
    RuntimeError
        If not every job is done in time.
    """
    postgres, valkey = EmbeddedPostgres(folder), EmbeddedValkey(folder)
    postgres.start()
    valkey.start()
    try:
        environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "COSMO_DATABASE_URL": postgres.url,
            "COSMO_REDIS_URL": valkey.url,
        }
        return asyncio.run(
            _measure(postgres.url, valkey.url, environment, folder / "worker.log", count)
        )
    finally:
        valkey.stop()
        postgres.stop()


async def _measure(
    database_url: str, redis_url: str, environment: dict[str, str], log: Path, count: int
) -> list[float]:
    database, broker = Database(database_url), make_broker(redis_url)
    await migrate(database)
    async with database.transaction() as session:
        datasets = [
            Dataset(rootname=f"lbench{number:03d}", kind=ACQUISITION, missing=[])
            for number in range(count)
        ]
        session.add_all(datasets)
        await session.flush()
        ids = [dataset.id for dataset in datasets]
    worker = children.spawn(
        [sys.executable, "-m", "benchmarks.main_job.worker"], log, environment=environment
    )
    try:
        await asyncio.to_thread(_wait_until_ready, worker, log)
        messenger = Messenger(broker)
        for dataset_id in ids:
            outbox = Outbox()
            async with database.transaction() as session:
                await record_event(session, dataset_id, NewEvent(EventName.DATASET_FETCHED), outbox)
            await send(messenger, outbox)
            await asyncio.sleep(random.uniform(*_PAUSES))
        return await _latencies(database, count)
    finally:
        children.stop(worker, signal.SIGTERM, 20)
        broker.close()
        await database.dispose()


def _wait_until_ready(worker: subprocess.Popen[bytes], log: Path) -> None:
    while "worker ready" not in log.read_text():
        if worker.poll() is not None:
            raise RuntimeError(f"the worker ended: {log.read_text()[-800:]}")
        time.sleep(0.1)


async def _latencies(database: Database, count: int) -> list[float]:
    seconds = func.extract("epoch", Attempt.started_at - Event.at)
    query = (
        select(seconds)
        .join(Job, Job.id == Attempt.job_id)
        .join(Event, Event.dataset_id == Job.dataset_id)
        .where(Event.name == EventName.DATASET_FETCHED)
        .order_by(seconds)
    )
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        async with database.session() as session:
            found = [float(value) for value in (await session.execute(query)).scalars()]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.2)
    raise RuntimeError(f"{len(found)} of {count} jobs were claimed within {_LONGEST_SECONDS:.0f} s")
