"""Metrics in the eyes of promtool, and of a Prometheus that scrapes a stack."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from cosmo.launcher import processes as children
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import Database
from shared.database.models.operations import Dataset
from tests.deploy.scaling import expressions
from tests.prometheus import Prometheus, check_metrics, free_port, prometheus

pytestmark = pytest.mark.integration

MODULES = {
    "archive": "services.archive",
    "monitor": "services.monitor",
    "monitor-worker-1": "services.monitor.worker",
    "monitor-worker-2": "services.monitor.worker",
}
SECONDS = 180.0
"""In which all services start however busy the machine is."""


_OF_EVENTS = {
    "cosmo_calcos_wall_seconds_bucket",
    "cosmo_job_retries_total",
    "cosmo_job_seconds_bucket",
    "cosmo_jobs_ended_total",
    "cosmo_lease_failures_total",
    "cosmo_store_failures_total",
    "cosmo_store_operation_seconds_bucket",
}
"""Metrics without a series before something happens, such as a failure."""


def _without_data(server: Prometheus) -> set[str]:
    """Return the metrics of alerts and dashboards of which Prometheus has no series."""
    folder = Path(__file__).parents[2] / "deploy" / "observability"
    files = [folder / "alerts.yml", *(folder / "dashboards").iterdir()]
    texts = {text for file in files for text in expressions(yaml.safe_load(file.read_text()))}
    names = {name for text in texts for name in re.findall(r"\bcosmo_[a-z_]+", text)}
    return {name for name in names if not server.ask(f"count({name})")}


class Stack:
    """Services with the ports of their health.

    Attributes
    ----------
    ports, processes
        By name.
    """

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.ports = {name: free_port() for name in MODULES}
        self._folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name, module in MODULES.items():
            own = {"COSMO_HEALTH_PORT": str(self.ports[name]), "COSMO_INSTANCE": name}
            self.processes[name] = children.spawn(
                [sys.executable, "-m", module],
                folder / f"{name}.log",
                environment={**environment, **own},
            )

    def wait(self) -> None:
        """Wait until all are ready."""
        deadline = time.monotonic() + SECONDS
        for name, process in self.processes.items():
            while self._status(name) != 200:
                assert process.poll() is None, (self._folder / f"{name}.log").read_text()
                assert time.monotonic() < deadline, f"{name} is not ready"
                time.sleep(0.2)

    def _status(self, name: str) -> int:
        try:
            url = f"http://127.0.0.1:{self.ports[name]}/health/ready"
            return httpx.get(url, timeout=10).status_code
        except httpx.TransportError:
            return 0

    def metrics(self, name: str) -> str:
        """Return the metrics of a process."""
        return httpx.get(f"http://127.0.0.1:{self.ports[name]}/metrics", timeout=60).text


@contextmanager
def _stack(environment: dict[str, str], folder: Path) -> Iterator[Stack]:
    stack = Stack(environment, folder)
    try:
        stack.wait()
        yield stack
    finally:
        for process in stack.processes.values():
            children.stop(process, signal.SIGKILL, 5)


async def test_two_replicas_count_nothing_twice(
    postgres: EmbeddedPostgres, valkey: EmbeddedValkey, database: Database, tmp_path: Path
) -> None:
    async with database.transaction() as session:
        session.add_all([Dataset(rootname=f"ldfd0{n}010", kind="association") for n in range(1, 6)])
    (tmp_path / "source").mkdir()
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "COSMO_DATABASE_URL": postgres.url,
        "COSMO_REDIS_URL": valkey.url,
        "COSMO_STORE_URL": f"file://{tmp_path / 'store'}",
        "COSMO_ARCHIVE__SOURCES": str(tmp_path / "source"),
        "COSMO_API__PORT": str(port),
    }
    with _stack(environment, tmp_path) as stack:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60) as web:
            for _ in range(3):
                (await web.get("/datasets/ldfd01010")).raise_for_status()
        workers = {"monitor-worker-1", "monitor-worker-2"}
        leaders = {name for name in workers if "\ncosmo_datasets{" in stack.metrics(name)}
        assert len(leaders) == 1
        for name in MODULES:
            assert check_metrics(stack.metrics(name)) == ""
        targets = [f"127.0.0.1:{number}" for number in stack.ports.values()]
        with prometheus(targets, tmp_path) as server:
            server.wait("sum(up)", 4)
            server.wait("sum(cosmo_datasets)", 5)
            server.wait('sum(cosmo_leader{role="scheduler"})', 1)
            server.wait("sum(cosmo_build_info)", 4)
            server.wait('sum(cosmo_workers{state="at work"})', 3)
            server.wait('min(cosmo_server_reachable{server="broker"})', 1)
            server.wait('min(cosmo_scans_total{outcome="done"}) > bool 0', 1)
            server.wait("min(cosmo_disk_free_bytes) > bool 0", 1)
            server.wait('sum(cosmo_http_requests_total{route="/api/v1/datasets/{rootname}"})', 3)
            assert _without_data(server) <= _OF_EVENTS
            # Another process serves what there is once, when the leader has gone.
            stack.processes[leaders.pop()].send_signal(signal.SIGTERM)
            server.wait("sum(up)", 3)
            server.wait("sum(cosmo_datasets)", 5)
