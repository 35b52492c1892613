"""Embedded servers and the four services, started and stopped in the right order."""

import contextlib
import errno
import functools
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
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cosmo.launcher import processes as children
from cosmo.launcher.address import Address, write_address
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from cosmo.launcher.lock import FolderLock
from cosmo.launcher.supervision import Supervised
from shared.errors import PermanentError, TransientError
from shared.urls import file_url

__all__ = ["LocalStack"]

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 300.0
"""Until the web process answers: measured on two cores at a load of thirty, over a minute."""
_STOP_SECONDS = 40.0


class LocalStack:
    """COSMO on this machine, in one data folder.

    Parameters
    ----------
    data_dir
        Folder of the servers' data, the store and the logs.
    sources
        Sources that the archive service scans; without one, those that the environment names.
    references
        Folder of the reference files.
    calibrators
        Calibrator processes.
    port
        Port of the HTTP API; 0 takes a free one.
    settings
        Further settings of the services, by the names of their variables.

    Raises
    ------
    PermanentError
        If the port is taken, or the folder is in use.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        sources: Sequence[str] = (),
        references: Path | None = None,
        calibrators: int = 1,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._host = os.environ.get("COSMO_API__HOST") or "127.0.0.1"
        # This process listens: no other can have the port, and requests wait while the web process
        # starts again.
        self._listener = _listen(self._host, port)
        self.port: int = self._listener.getsockname()[1]
        self._lock = FolderLock(self._data_dir)
        self._logs = self._data_dir / "logs"
        self._logs.mkdir(exist_ok=True)
        self._postgres = (
            EmbeddedPostgres(self._data_dir, self._lock)
            if "COSMO_DATABASE_URL" not in os.environ
            else None
        )
        self._valkey = (
            EmbeddedValkey(self._data_dir, self._lock)
            if "COSMO_REDIS_URL" not in os.environ
            else None
        )
        self.token = secrets.token_urlsafe(24)
        self.environment = self._environment(sources, references) | dict(settings or {})
        self._servers = [
            Supervised(server.name, server.log, server.launch)
            for server in (self._postgres, self._valkey)
            if server is not None
        ]
        names = [
            "archive",
            *(f"calibrator-{number}" for number in range(1, calibrators + 1)),
            "ingestor",
        ]
        modules = {name: f"services.{name.split('-')[0]}" for name in names}
        modules |= {"monitor-worker": "services.monitor.worker", "monitor": "services.monitor"}
        self._services = [
            Supervised(name, self._log(name), functools.partial(self._launch, name, module))
            for name, module in modules.items()
        ]

    @property
    def url(self) -> str:
        """Address of the HTTP API and its pages."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - how it is reached
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def _environment(self, sources: Sequence[str], references: Path | None) -> dict[str, str]:
        """Make the settings of the services: what the caller's environment says, else what suits
        one folder.
        """
        wanted = {
            "COSMO_STORE_URL": file_url(self._data_dir / "store"),
            "COSMO_CALIBRATOR__SCRATCH": str(self._data_dir / "scratch"),
            "COSMO_REFERENCES__CACHE": str(self._data_dir / "references"),
            "COSMO_API__DRAIN_SECONDS": "0",  # nobody else distributes the requests
        }
        fixed = {
            "COSMO_API__PORT": str(self.port),
            "COSMO_API__DESCRIPTOR": str(self._listener.fileno()),
            "COSMO_HEALTH_PORT": "0",
            "PYTHONPATH": str(_ROOT),
        }
        if self._postgres is not None:
            fixed["COSMO_DATABASE_URL"] = self._postgres.url
        if self._valkey is not None:
            fixed["COSMO_REDIS_URL"] = self._valkey.url
        if sources:
            fixed["COSMO_ARCHIVE__SOURCES"] = json.dumps(list(sources))
        if references is not None:
            fixed["COSMO_REFERENCES__FOLDER"] = str(references.resolve())
        # The commands on this machine have a token of their own, beside those that the caller gave
        # to others.
        try:
            tokens = json.loads(os.environ.get("COSMO_API__TOKENS") or "{}")
        except ValueError as error:
            raise PermanentError(
                f'COSMO_API__TOKENS is not JSON like {{"name": "token"}}: {error}'
            ) from error
        fixed["COSMO_API__TOKENS"] = json.dumps({**tokens, "local": self.token})
        inherited = dict(os.environ)
        if self._postgres is not None:
            inherited.pop("COSMO_DATABASE_DIRECT_URL", None)  # it leads to another Postgres
        return {**wanted, **inherited, **fixed}

    def start_servers(self) -> None:
        """Start Postgres and the broker, where they are embedded."""
        for supervised, server in zip(
            self._servers, filter(None, (self._postgres, self._valkey)), strict=True
        ):
            server.start()
            supervised.adopt(server.process)

    def start_services(self) -> None:
        """Start the four services and wait until the HTTP API answers.

        Raises
        ------
        TransientError
            If it does not, or its process ends.
        """
        for service in self._services:
            service.start()
        web, deadline = self._services[-1].process, time.monotonic() + _START_SECONDS
        while web is not None and web.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"{self.url}/api/v1/health/live", timeout=2).close()  # noqa: S310 - loopback
                write_address(self._data_dir, Address(self.url, self.token))
                return
            time.sleep(0.1)
        raise TransientError(f"the HTTP API did not come up; see {self._log('monitor')}")

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _launch(self, name: str, module: str) -> subprocess.Popen[bytes]:
        web = name == "monitor"
        return children.spawn(
            [sys.executable, "-m", module],
            self._log(name),
            environment={**self.environment, "COSMO_INSTANCE": name},
            # The web process has nothing to finish, but holds a port that the next start wants.
            death_signal=signal.SIGKILL if web else signal.SIGTERM,
            descriptors=(self._listener.fileno(),) if web else (),
        )

    def check(self) -> list[str]:
        """Start again what ended by itself, servers first; returns what is to be reported of it."""
        return [
            line
            for child in (*self._servers, *self._services)
            if (line := child.check()) is not None
        ]

    def pids(self) -> dict[str, int]:
        """Process number of each server and service that runs."""
        return {
            child.name: child.process.pid
            for child in (*self._servers, *self._services)
            if child.process is not None and child.running
        }

    def stop(self) -> None:
        """Stop everything: the web process, the workers, the broker, Postgres."""
        running = [
            service.process for service in reversed(self._services) if service.process is not None
        ]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in running:
            children.stop(process, signal.SIGTERM, _STOP_SECONDS)
        for server in (self._valkey, self._postgres):
            if server is not None:
                server.stop()
        self._listener.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _listen(host: str, port: int) -> socket.socket:
    """Listen on a port; 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        taken = (
            "it is taken, by another COSMO or another program; stop that, or choose another --port"
        )
        reason = taken if error.errno == errno.EADDRINUSE else str(error)
        raise PermanentError(f"cannot listen on port {port} of {host}: {reason}") from error
