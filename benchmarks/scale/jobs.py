"""Claims and whole jobs a second, of work that does nothing."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import func, select, text

from benchmarks.scale.processor import Meter
from cosmo.launcher import processes as children
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import Database
from shared.database.models.operations import Job, JobState
from shared.database.schema import migrate
from shared.jobs.claims import claim
from shared.settings import JobSettings

__all__ = ["WORKERS", "Rate", "measure"]

WORKERS = {1: (1, 1), 8: (2, 4), 32: (2, 16)}
"""Workers: processes, and threads of each."""

_ROOT = Path(__file__).parents[2]
_SWEEP_ONLY = 1e9
"""Seconds between two looks at a queue: as when each sweep fed one window."""
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.5

_EMPTY = "TRUNCATE datasets, state_counts, events RESTART IDENTITY CASCADE"
_DATASETS = """
    INSERT INTO datasets (id, rootname, kind, state, members, companions, missing, forced)
    SELECT n, 'l' || lpad(to_hex(n), 7, '0') || 'q', 'acquisition', 'fetched', '[]', '[]', '[]',
      false FROM generate_series(1, CAST(:count AS int)) AS n
"""
_JOBS = """
    INSERT INTO jobs (id, stage, dataset_id, fingerprint, queue, trace, payload, state, attempts)
    SELECT id, 'ingest-raw', id, '', 'ingest-bulk', '', '{}', 'queued', 0 FROM datasets
"""


@dataclass(frozen=True)
class Rate:
    """How many a second.

    Attributes
    ----------
    what
        What.
    workers
        Workers at once.
    rate
        Number a second, by the clock.
    processor, database
        Processor time for one of workers, Postgres and Valkey, and of Postgres alone, milliseconds.
    """

    what: str
    workers: int
    rate: float
    processor: float
    database: float


def measure(folder: Path, seconds: float) -> Iterator[Rate]:
    """Measure claims and jobs of more and more workers, with the feed that follows them, and jobs
    with a window for each sweep.

    Parameters
    ----------
    folder
        Folder that is made for the servers.
    seconds
        Length of each measurement, about.
    """
    with _Servers(folder) as servers:
        asyncio.run(_migrate(servers.url))
        for workers in WORKERS:
            yield asyncio.run(_claims(servers, workers, seconds))
        yield servers.work(8, seconds, _SWEEP_ONLY)
        for workers in WORKERS:
            yield servers.work(workers, seconds, None)


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.dispose()


async def _fill(database: Database, count: int) -> None:
    async with database.transaction() as session:
        await session.execute(text(_EMPTY))
        await session.execute(text(_DATASETS), {"count": count})
        await session.execute(text(_JOBS))
        await session.execute(text("ANALYZE datasets, jobs"))


async def _claims(servers: "_Servers", workers: int, seconds: float) -> Rate:
    """Claim jobs on so many connections of one process."""
    database = Database(servers.url, pool_size=workers, max_overflow=0)
    await _fill(database, 20_000)
    settings, numbers, meter = JobSettings(), iter(range(1, 20_001)), servers.meter([os.getpid()])
    before, begin, claimed = meter.read(), time.monotonic(), 0

    async def work() -> None:
        nonlocal claimed
        while time.monotonic() - begin < seconds and (number := next(numbers, None)) is not None:
            async with database.transaction() as session:
                assert await claim(session, number, "benchmark", settings) is not None
            claimed += 1

    await asyncio.gather(*(work() for _ in range(workers)))
    passed, after = time.monotonic() - begin, meter.read()
    await database.dispose()
    return _rate("claims", workers, claimed, passed, before, after)


def _rate(
    what: str,
    workers: int,
    number: int,
    passed: float,
    before: tuple[float, float],
    after: tuple[float, float],
) -> Rate:
    used, of_database = (1000.0 * (end - start) for start, end in zip(before, after, strict=True))
    each = max(1, number)
    return Rate(what, workers, number / passed, used / each, of_database / each)


class _Servers:
    """Postgres and Valkey, and workers of them.

    Parameters
    ----------
    folder
        Folder of the servers and of the workers' logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres, self._valkey = EmbeddedPostgres(folder), EmbeddedValkey(folder)
        self.url = self._postgres.url

    def __enter__(self) -> Self:
        self._postgres.start()
        self._valkey.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._valkey.stop()
        self._postgres.stop()

    def meter(self, processes: Sequence[int]) -> Meter:
        """Meter of processes and of both servers."""
        assert self._postgres.process is not None
        assert self._valkey.process is not None
        return Meter([*processes, self._valkey.process.pid], self._postgres.process.pid)

    def work(self, workers: int, seconds: float, follow: float | None) -> Rate:
        """Let workers do jobs; the dispatcher looks at queues so often, or as it does."""

        async def prepare() -> None:
            database = Database(self.url)
            await _fill(database, 100_000)
            await database.dispose()

        async def done() -> int:
            database = Database(self.url)
            async with database.session() as session:
                query = select(func.count()).where(Job.state == JobState.DONE)
                number = (await session.execute(query)).scalar_one()
            await database.dispose()
            return number

        asyncio.run(prepare())
        processes, threads = WORKERS[workers]
        with self._running(processes, threads, follow) as meter:
            before, begin, known = meter.read(), time.monotonic(), asyncio.run(done())
            time.sleep(seconds)
            number = asyncio.run(done()) - known
            passed, after = time.monotonic() - begin, meter.read()
        what = "jobs" if follow is None else "jobs, a window for each sweep"
        return _rate(what, workers, number, passed, before, after)

    @contextmanager
    def _running(self, number: int, threads: int, follow: float | None) -> Iterator[Meter]:
        """Run worker processes that have begun to work; yields the meter of all."""
        arguments = [str(threads), *([str(follow)] if follow is not None else [])]
        environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "COSMO_DATABASE_URL": self.url,
            "COSMO_REDIS_URL": self._valkey.url,
            "COSMO_HEALTH_PORT": "0",
        }
        logs = [self._folder / f"worker-{one}.log" for one in range(number)]
        running: list[subprocess.Popen[bytes]] = []
        try:
            for log in logs:
                log.unlink(missing_ok=True)
                running.append(
                    children.spawn(
                        [sys.executable, "-m", "benchmarks.scale.worker", *arguments],
                        log,
                        environment={**environment, "COSMO_INSTANCE": log.stem},
                    )
                )
            while any("job ended" not in log.read_text() for log in logs):
                time.sleep(_LOOK_SECONDS)
            yield self.meter([process.pid for process in running])
        finally:
            for process in running:
                children.stop(process, signal.SIGTERM, _STOP_SECONDS)
