"""The web process as it is deployed, for tests of what only that has.

Connections, signals, memory.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.settings import Settings

__all__ = ["WebProcess", "web_process"]

_ROOT = Path(__file__).parents[4]
_START_SECONDS = 180.0
"""In which the process starts however busy the machine is."""


@dataclass(frozen=True)
class WebProcess:
    """The process and its port on the loopback."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        """Address of its API."""
        return f"http://127.0.0.1:{self.port}/api/v1"

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Open a connection and send something."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(sent)
        return connection

    def memory(self) -> int:
        """Return the memory that it has, bytes; `most_memory` counts from here."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")  # proc(5): the peak is now
        return self.most_memory()

    def most_memory(self) -> int:
        """Return most memory that it had, bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10


@contextmanager
def web_process(settings: Settings, folder: Path, **environment: str) -> Iterator[WebProcess]:
    """Run the process on the database and store of some settings, which ends without delay."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = {
        **os.environ,
        "COSMO_DATABASE_URL": settings.database_url,
        "COSMO_STORE_URL": settings.store_url,
        "COSMO_API__PORT": str(port),
        "COSMO_API__DRAIN_SECONDS": "0",
        **environment,
    }
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.monitor"],
            cwd=_ROOT,
            env=given,
            stdout=stream,
            stderr=stream,
        )
    found = WebProcess(process, port)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                httpx.get(f"{found.url}/health/live", timeout=60)
                break
            except httpx.TransportError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, f"no answer in {_START_SECONDS:.0f} s"
                time.sleep(0.05)
        yield found
    finally:
        process.kill()
        process.wait()
