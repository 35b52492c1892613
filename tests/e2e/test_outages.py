"""Services whose Postgres or broker is away: they wait, say so, and go on when it is back."""

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import select, text

from cosmo.launcher import processes as children
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import Database
from shared.database.models.operations import Dataset, DatasetState
from shared.database.schema import migrate

pytestmark = pytest.mark.integration

MINUTE = 60.0
SERVICES = ("archive", "ingestor", "monitor")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Deployment:
    """Three services as a deployment starts them.

    Each by itself, with its own probes, on servers that come and go.
    """

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self.postgres, self.valkey = EmbeddedPostgres(folder), EmbeddedValkey(folder)
        self.source = folder / "source"
        self._raw = data_dir / "ldfd01010" / "raw"
        self._folder = folder
        self._ports = {name: _free_port() for name in SERVICES}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a service."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "COSMO_DATABASE_URL": self.postgres.url,
            "COSMO_REDIS_URL": self.valkey.url,
            "COSMO_STORE_URL": f"file://{self._folder / 'store'}",
            "COSMO_ARCHIVE__SOURCES": str(self.source),
            "COSMO_ARCHIVE__SCAN_SECONDS": "1",
            "COSMO_HEALTH_PORT": "0" if name == "monitor" else str(self._ports[name]),
            "COSMO_API__PORT": str(self._ports[name]),
        }
        command = [sys.executable, "-m", f"services.{name}"]
        self.processes[name] = children.spawn(command, self.log(name), environment=environment)

    def log(self, name: str) -> Path:
        """Return the log of a service."""
        return self._folder / f"{name}.log"

    def probe(self, name: str, what: str) -> tuple[int, str]:
        """Return the status and body of a probe."""
        prefix = "/api/v1" if name == "monitor" else ""
        answer = httpx.get(
            f"http://127.0.0.1:{self._ports[name]}{prefix}/health/{what}", timeout=10
        )
        return answer.status_code, answer.text

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something; no service may end meanwhile."""
        deadline = time.monotonic() + MINUTE
        while time.monotonic() < deadline:
            for name, process in self.processes.items():
                assert process.poll() is None, (
                    f"{name} ended:\n{self.log(name).read_text()[-2000:]}"
                )
            with contextlib.suppress(httpx.TransportError):
                if condition():
                    return
            time.sleep(0.2)
        pytest.fail(f"waited {MINUTE:.0f} s for {what}")

    def wait_status(self, name: str, probe: str, status: int) -> None:
        """Wait until a probe of a service answers with a status."""
        self.wait(lambda: self.probe(name, probe)[0] == status, f"{name}/{probe}: {status}")

    def wait_message(self, name: str, message: str) -> None:
        """Wait until a service says why it is not ready."""
        self.wait(lambda: message in self.probe(name, "ready")[1], f"{name}: {message}")

    def wait_ready(self) -> None:
        """Wait until every service is ready."""
        for name in SERVICES:
            self.wait_status(name, "ready", 200)

    def offer(self, rootname: str) -> None:
        """Put the real acquisition into the source, as if it were another visit's."""
        self.source.mkdir(exist_ok=True)
        for suffix in ("rawacq", "spt"):
            shutil.copyfile(
                self._raw / f"ldfd01vlq_{suffix}.fits.gz",
                self.source / f"{rootname}_{suffix}.fits.gz",
            )

    def state(self, rootname: str) -> Any:
        """Return the state of a dataset; None where there is none."""
        return self.ask(select(Dataset.state).where(Dataset.rootname == rootname))

    def ask(self, query: Any) -> Any:
        """Ask Postgres for one value."""

        async def run() -> Any:
            database = Database(self.postgres.url)
            try:
                async with database.transaction() as session:
                    return (await session.execute(query)).scalar()
            finally:
                await database.dispose()

        return asyncio.run(run())

    def migrate(self) -> None:
        """Bring the schema up to date."""

        async def run() -> None:
            database = Database(self.postgres.url)
            await migrate(database)
            await database.dispose()

        asyncio.run(run())


@pytest.fixture
def deployment(tmp_path: Path, data_dir: Path) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path, data_dir)
    yield deployment
    for process in deployment.processes.values():
        children.stop(process, signal.SIGKILL, 5)
    deployment.valkey.stop()
    deployment.postgres.stop()


def _kill(server: EmbeddedPostgres | EmbeddedValkey) -> None:
    assert server.process is not None
    server.process.kill()
    server.process.wait()


def test_services_wait_for_their_servers(deployment: Deployment) -> None:
    deployment.postgres.start()
    deployment.migrate()
    deployment.postgres.stop()
    deployment.offer("ldfd01vlq")

    # everything is down at the start
    for name in SERVICES:
        deployment.start(name)
    for name in SERVICES:
        deployment.wait_status(name, "live", 200)
        status, body = deployment.probe(name, "ready")
        assert status == 503
        assert "does not answer" in body
    deployment.wait(
        lambda: "waiting for Postgres" in deployment.log("ingestor").read_text(), "a clear log"
    )

    # Postgres comes: the workers miss the broker, and the web process says so for them
    deployment.postgres.start()
    for name in ("ingestor", "monitor"):
        deployment.wait_message(name, "broker does not answer")
        assert deployment.probe(name, "ready")[0] == 503
    deployment.valkey.start()
    deployment.wait_ready()
    deployment.wait(
        lambda: deployment.state("ldfd01vlq") is DatasetState.INGESTED, "the work to be done"
    )

    # both are lost in the middle of everything, scans too
    _kill(deployment.valkey)
    _kill(deployment.postgres)
    deployment.offer("ldfd02vlq")
    deployment.wait(lambda: deployment.probe("monitor", "ready")[0] == 503, "the monitor to notice")
    deployment.wait(lambda: deployment.probe("archive", "ready")[0] == 503, "the archive to notice")
    deployment.postgres.start()
    deployment.valkey.start()
    deployment.wait(
        lambda: deployment.state("ldfd02vlq") is DatasetState.INGESTED, "the work after the outage"
    )
    deployment.wait_ready()

    # Postgres stands still, which breaks no connection
    assert deployment.postgres.process is not None
    postmaster = psutil.Process(deployment.postgres.process.pid)
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.suspend()
    deployment.offer("ldfd03vlq")
    for name in SERVICES:
        deployment.wait_status(name, "ready", 503)
    for process in family:
        process.resume()
    deployment.wait(
        lambda: deployment.state("ldfd03vlq") is DatasetState.INGESTED,
        "the work after the standstill",
    )
    deployment.wait_ready()

    # a worker can stop without the broker
    _kill(deployment.valkey)
    ingestor = deployment.processes.pop("ingestor")
    ingestor.send_signal(signal.SIGTERM)
    assert ingestor.wait(timeout=30) == 0


def test_an_outdated_schema_is_refused(deployment: Deployment) -> None:
    """Whether Postgres is there at the start or comes later."""
    deployment.postgres.start()
    deployment.migrate()
    deployment.ask(text("UPDATE alembic_version SET version_num = '0000' RETURNING version_num"))
    deployment.start("ingestor")
    assert deployment.processes.pop("ingestor").wait(timeout=30) == 1
    assert "run `cosmo migrate`" in deployment.log("ingestor").read_text()
    deployment.postgres.stop()
    for name in ("ingestor", "monitor"):
        deployment.log(name).unlink(missing_ok=True)
        deployment.start(name)
        deployment.wait_status(name, "live", 200)
    deployment.postgres.start()
    for name in ("ingestor", "monitor"):
        assert deployment.processes.pop(name).wait(timeout=30) != 0
        assert "run `cosmo migrate`" in deployment.log(name).read_text()
