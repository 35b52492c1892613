"""Calibrators that come, go and are killed, while Redis, Postgres and the object store are
restarted in turn.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Protocol

import fsspec
import psutil
from sqlalchemy import func, select, text

from cosmo.launcher import processes as children
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import DATABASE_ERRORS, Database
from shared.database.models.operations import Attempt, Dataset, DatasetState, Job, Stage
from shared.database.schema import migrate
from shared.invariants import check
from shared.store import Store
from simulator.mission.make import DATA, REFERENCES, MissionSimulation
from simulator.mission.schedule import Mission
from tests.object_store import ObjectStore

__all__ = ["Report", "Rolling"]

_DARKS_A_YEAR = 24
"""Fewer than the routine schedules."""
_ROOT = Path(__file__).parents[2]
_FEW = 0.1
"""Part of the datasets at the beginning, and at the end, for which there are few calibrators."""
_STOP_SECONDS = 30.0
_LOOK_SECONDS = 1.0
_ASK_SECONDS = 10.0
_CONNECTIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
    "AND pid <> pg_backend_pid()"
)


@dataclass
class Report:
    """What happened.

    Attributes
    ----------
    states
        Datasets by state at the end.
    seconds
        How long it took.
    kills
        Calibrators that were killed.
    restarts
        Restarts of each server.
    attempts
        Attempts at calibrations by how they ended.
    wasted
        Attempts at calibrations beyond one for each dataset.
    connections
        Most connections to Postgres at once, and the calibrators that ran then.
    violations
        Invariants that do not hold at the end.
    """

    states: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    kills: int = 0
    restarts: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    wasted: int = 0
    connections: tuple[int, int] = (0, 0)
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rolling:
    """How it goes.

    Attributes
    ----------
    datasets
        Simulated datasets.
    few, many
        Calibrators at the beginning and the end, and in between.
    pause
        Seconds between two kills.
    restart_pause
        Seconds between two restarts of servers.
    down
        Seconds that a server is away.
    limit
        Seconds after which it is given up.
    seed
        Of the data and of what is killed.
    """

    datasets: int = 200
    few: int = 2
    many: int = 8
    pause: float = 5.0
    restart_pause: float = 30.0
    down: float = 3.0
    limit: float = 7200.0
    seed: int = 1

    def carry_out(self, folder: Path, log: Callable[[str], None]) -> Report:
        """Do it and look what came of it.

        Parameters
        ----------
        folder
            Empty folder.
        log
            Receives what happens, a line at a time.
        """
        source, references = self._simulate(folder, log)
        with _Cluster(folder, source, references) as cluster:
            cluster.start()
            report = self._run(cluster, log)
            asyncio.run(_summarise(cluster, report))
        return report

    def _simulate(self, folder: Path, log: Callable[[str], None]) -> tuple[Path, Path]:
        years = 0.5 + self.datasets / _DARKS_A_YEAR
        mission = Mission(years=years, seed=self.seed, size="brief", routines=("nuv-dark",))
        simulation = MissionSimulation(mission, folder)
        for name in (DATA, REFERENCES):
            (folder / name).mkdir(parents=True)
        for visit in simulation.taken[: self.datasets]:
            simulation.take(visit)
        log(f"simulated {self.datasets} datasets")
        return folder / DATA, folder / REFERENCES

    def _run(self, cluster: "_Cluster", log: Callable[[str], None]) -> Report:
        """Kill and restart until every dataset is done."""
        report, draw, begin = Report(), random.Random(self.seed), time.monotonic()
        killed = restarted = begin
        servers = cycle(cluster.servers)
        while (now := time.monotonic()) - begin < self.limit:
            cluster.keep(self._wanted(report))
            if now - killed >= self.pause and cluster.kill_one(draw):
                killed, report.kills = now, report.kills + 1
            if now - restarted >= self.restart_pause:
                name = next(servers)
                cluster.restart(name, self.down)
                report.restarts[name] = report.restarts.get(name, 0) + 1
                restarted = time.monotonic()
            with suppress(*DATABASE_ERRORS, TimeoutError):
                states, connections = asyncio.run(_look(cluster.url))
                report.states = states
                report.connections = max(report.connections, (connections, cluster.size))
                report.seconds = round(time.monotonic() - begin, 1)
                log(f"{report.seconds:.0f} s: {states}, {cluster.size} calibrators")
                if self._is_done(states):
                    break
            time.sleep(_LOOK_SECONDS)
        return report

    def _wanted(self, report: Report) -> int:
        """Return how many calibrators run at this point: few, many in between, few."""
        done = report.states.get(DatasetState.INGESTED, 0) / self.datasets
        return self.many if _FEW <= done < 1.0 - _FEW else self.few

    def _is_done(self, states: Mapping[str, int]) -> bool:
        ended = states.get(DatasetState.INGESTED, 0) + states.get(DatasetState.FAILED, 0)
        return ended == self.datasets


class _Server(Protocol):
    """A server that can be restarted."""

    def start(self) -> None:
        """Start it and wait until it answers."""

    def stop(self) -> None:
        """Stop it."""


class _Cluster:
    """Servers and services, of which there may be any number of calibrators.

    Parameters
    ----------
    folder
        Folder of all that they write.
    source, references
        Folders that the archive and the calibrators read.
    """

    def __init__(self, folder: Path, source: Path, references: Path) -> None:
        self._logs = folder / "logs"
        self._logs.mkdir()
        objects = folder / "objects"
        objects.mkdir()
        postgres, valkey, self._store = (
            EmbeddedPostgres(folder),
            EmbeddedValkey(folder),
            ObjectStore(objects),
        )
        self.servers: dict[str, _Server] = {
            "redis": valkey,
            "postgres": postgres,
            "s3": self._store,
        }
        self.url, self.store_url = postgres.url, f"{self._store.url}/store"
        self._environment = {
            **os.environ,
            **self._store.environment,
            "COSMO_DATABASE_URL": postgres.url,
            "COSMO_REDIS_URL": valkey.url,
            "COSMO_STORE_URL": self.store_url,
            "COSMO_ARCHIVE__SOURCES": str(source),
            "COSMO_ARCHIVE__SCAN_SECONDS": "5",
            "COSMO_CALIBRATOR__KEEP": "flt*,counts*",
            "COSMO_CALIBRATOR__SCRATCH": str(folder / "scratch"),
            "COSMO_REFERENCES__FOLDER": str(references),
            "COSMO_REFERENCES__CACHE": str(folder / "cache"),
            "COSMO_HEALTH_PORT": "0",
            "PYTHONPATH": str(_ROOT),
        }
        self._services: list[subprocess.Popen[bytes]] = []
        self._calibrators: dict[str, subprocess.Popen[bytes]] = {}
        self._count = 0

    def __enter__(self) -> "_Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self._calibrators.values(), *self._services):
            children.stop(process, signal.SIGTERM, _STOP_SECONDS)
        for server in self.servers.values():
            server.stop()

    @property
    def size(self) -> int:
        """Number of calibrators."""
        return len(self._calibrators)

    def start(self) -> None:
        """Start the servers and all services but calibrators."""
        for server in self.servers.values():
            server.start()
        os.environ |= self._store.environment
        fsspec.get_filesystem_class("s3")().mkdir("bucket")

        async def prepare() -> None:
            database = Database(self.url)
            await migrate(database)
            await database.dispose()

        asyncio.run(prepare())
        self._services = [self._spawn(name) for name in ("archive", "ingestor")]

    def _spawn(self, service: str, name: str | None = None) -> subprocess.Popen[bytes]:
        name = name or service
        return children.spawn(
            [sys.executable, "-m", f"services.{service}"],
            self._logs / f"{name}.log",
            environment={**self._environment, "COSMO_INSTANCE": name},
        )

    def keep(self, wanted: int) -> None:
        """Let so many calibrators run."""
        running = {name: one for name, one in self._calibrators.items() if one.poll() is None}
        while len(running) < wanted:
            self._count += 1
            name = f"calibrator-{self._count}"
            running[name] = self._spawn("calibrator", name)
        surplus = [running.pop(name) for name in list(running)[wanted:]]
        for process in surplus:
            process.send_signal(signal.SIGTERM)
        for process in surplus:
            children.stop(process, signal.SIGTERM, _STOP_SECONDS)
        self._calibrators = running

    def kill_one(self, draw: random.Random) -> bool:
        """Kill a calibrator that takes jobs, if there is one, and all below it, as the end of its
        container does.
        """
        ready = [
            one
            for name, one in self._calibrators.items()
            if one.poll() is None and "worker ready" in (self._logs / f"{name}.log").read_text()
        ]
        if not ready:
            return False
        victim = draw.choice(ready)
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(victim.pid)
            for below in (process, *process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    below.kill()
        victim.wait()
        return True

    def restart(self, name: str, down: float) -> None:
        """Stop a server, and start it again after some seconds."""
        server = self.servers[name]
        server.stop()
        time.sleep(down)
        server.start()


async def _look(url: str) -> tuple[dict[str, int], int]:
    """Count datasets by state, and connections."""
    database = Database(url)
    try:
        async with asyncio.timeout(_ASK_SECONDS), database.session() as session:
            query = select(Dataset.state, func.count()).group_by(Dataset.state)
            states = {state.value: count for state, count in await session.execute(query)}
            return states, (await session.execute(_CONNECTIONS)).scalar_one()
    finally:
        await database.dispose()


async def _summarise(cluster: _Cluster, report: Report) -> None:
    """Look how attempts ended, and whether all invariants hold."""
    database = Database(cluster.url)
    ended = func.concat_ws(" ", Attempt.outcome, Attempt.error_kind)
    query = select(ended, func.count()).join(Job).where(Job.stage == Stage.CALIBRATE)
    async with database.session() as session:
        rows = (await session.execute(query.group_by(ended))).all()
    report.attempts = {str(how): int(count) for how, count in rows}
    report.wasted = sum(report.attempts.values()) - report.attempts.get("done", 0)
    result = await check(database, Store(cluster.store_url), sample=None, orphan_seconds=3600.0)
    report.violations = [str(violation) for violation in result.violations]
    await database.dispose()
