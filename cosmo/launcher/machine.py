"""One machine: the embedded servers and the four services, started and stopped in the right order."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cosmo.launcher import children
from cosmo.launcher.address import Address, write_address
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from cosmo.launcher.lock import FolderLock
from shared.errors import PermanentError, TransientError

__all__ = ["Machine"]

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 300.0
"""Until the web process answers: measured on two cores at a load of thirty, over a minute."""
_STOP_SECONDS = 40.0
_RESTART_PAUSE = 2.0


@dataclass
class _Service:
    """A service process, and when it was last started."""

    name: str
    module: str
    process: subprocess.Popen[bytes] | None = None
    started: float = field(default=0.0)


class Machine:
    """COSMO on this machine, in one data folder.

    Parameters
    ----------
    data_dir
        Folder of the servers' data, the store and the logs.
    source
        Source that the archive service scans; None scans nothing by itself.
    references
        Folder of the reference files.
    calibrators
        Calibrator processes.
    port
        Port of the HTTP API; 0 takes a free one.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        source: str | None = None,
        references: Path | None = None,
        calibrators: int = 1,
        port: int = 0,
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._lock = FolderLock(self._data_dir)
        self._logs = self._data_dir / "logs"
        self._logs.mkdir(exist_ok=True)
        self._postgres = (
            EmbeddedPostgres(self._data_dir, self._lock) if "COSMO_DATABASE_URL" not in os.environ else None
        )
        self._valkey = EmbeddedValkey(self._data_dir, self._lock) if "COSMO_REDIS_URL" not in os.environ else None
        self.port = port or _free_port()
        self.token = secrets.token_urlsafe(24)
        self.environment = self._environment(source, references)
        names = ["archive", *(f"calibrator-{number}" for number in range(1, calibrators + 1)), "ingestor"]
        self._services = [
            *(_Service(name, f"services.{name.split('-')[0]}") for name in names),
            _Service("monitor-worker", "services.monitor.worker"),
            _Service("monitor", "services.monitor"),
        ]

    @property
    def url(self) -> str:
        """Address of the HTTP API and its pages."""
        return f"http://127.0.0.1:{self.port}"

    def _environment(self, source: str | None, references: Path | None) -> dict[str, str]:
        """Make the settings of the services: what the caller's environment says, else what suits one folder."""
        wanted = {
            "COSMO_STORE_URL": f"file://{self._data_dir / 'store'}",
            "COSMO_CALIBRATOR__SCRATCH": str(self._data_dir / "scratch"),
            "COSMO_CALIBRATOR__REFERENCE_CACHE": str(self._data_dir / "references"),
        }
        fixed = {"COSMO_API__PORT": str(self.port), "COSMO_HEALTH_PORT": "0", "PYTHONPATH": str(_ROOT)}
        if self._postgres is not None:
            fixed["COSMO_DATABASE_URL"] = self._postgres.url
        if self._valkey is not None:
            fixed["COSMO_REDIS_URL"] = self._valkey.url
        if source is not None:
            fixed["COSMO_ARCHIVE__SOURCE"] = source
        if references is not None:
            fixed["COSMO_CALIBRATOR__REFERENCES"] = str(references.resolve())
        # The commands on this machine have a token of their own, beside those that the caller gave to others.
        try:
            tokens = json.loads(os.environ.get("COSMO_API__TOKENS") or "{}")
        except ValueError as error:
            raise PermanentError(f'COSMO_API__TOKENS is not JSON like {{"name": "token"}}: {error}') from error
        fixed["COSMO_API__TOKENS"] = json.dumps({**tokens, "local": self.token})
        return {**wanted, **os.environ, **fixed}

    def start_servers(self) -> None:
        """Start Postgres and the broker, where they are embedded."""
        if self._postgres is not None:
            self._postgres.start()
        if self._valkey is not None:
            self._valkey.start()

    def start_services(self) -> None:
        """Start the four services and wait until the HTTP API answers.

        Raises
        ------
        TransientError
            If it does not, or its process ends.
        """
        for service in self._services:
            self._start(service)
        web, deadline = self._services[-1].process, time.monotonic() + _START_SECONDS
        while web is not None and web.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"{self.url}/api/v1/health/live", timeout=2).close()  # noqa: S310 - loopback
                write_address(self._data_dir, Address(self.url, self.token))
                return
            time.sleep(0.1)
        raise TransientError(f"the HTTP API did not come up; see {self._logs / 'monitor.log'}")

    def _start(self, service: _Service) -> None:
        service.started = time.monotonic()
        service.process = children.spawn(
            [sys.executable, "-m", service.module],
            self._logs / f"{service.name}.log",
            environment=self.environment,
            # The web process has nothing to finish, but holds a port that the next start wants.
            death_signal=signal.SIGKILL if service.name == "monitor" else signal.SIGTERM,
        )

    def check(self) -> dict[str, str]:
        """State of each process; a service that ended by itself is started again."""
        states = {}
        for service in self._services:
            running = service.process is not None and service.process.poll() is None
            if not running and time.monotonic() - service.started > _RESTART_PAUSE:
                self._start(service)
            states[service.name] = "running" if running else "restarted"
        return states

    def pids(self) -> dict[str, int]:
        """Process number of each service that runs."""
        return {service.name: service.process.pid for service in self._services if service.process is not None}

    def stop(self) -> None:
        """Stop everything: the web process, the workers, the broker, Postgres."""
        running = [service.process for service in reversed(self._services) if service.process is not None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in running:
            children.stop(process, signal.SIGTERM, _STOP_SECONDS)
        for server in (self._valkey, self._postgres):
            if server is not None:
                server.stop()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
