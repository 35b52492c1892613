"""A real pgbouncer before the Postgres of the tests."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cosmo.launcher import processes as children
from cosmo.launcher.embedded import EmbeddedPostgres
from cosmo.launcher.identity import server_identity

__all__ = ["SESSIONS", "find_pgbouncer", "pooler"]

SESSIONS = "sessions"
"""Name of the database in session mode; every other name is in transaction mode."""

_CONFIGURATION = """
[databases]
{sessions} = host={sockets} dbname=postgres user=cosmo pool_mode=session
* = host={sockets} user=cosmo
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
max_client_conn = 100
"""
_START_SECONDS = 10.0


def find_pgbouncer() -> str:
    """Return the path of pgbouncer.

    Where there is none the test skips, or fails when a pooler is required.
    """
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        if os.environ.get("COSMO_TEST_REQUIRE_POOLER") == "1":
            pytest.fail("no pgbouncer")
        pytest.skip("no pgbouncer")
    return found


@contextmanager
def pooler(postgres: EmbeddedPostgres, folder: Path) -> Iterator[str]:
    """Run pgbouncer for the length of a block; provides its URL, but for the database."""
    program = find_pgbouncer()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        _CONFIGURATION.format(sessions=SESSIONS, sockets=postgres._sockets, port=port)
    )
    identity = server_identity()  # pgbouncer refuses root, too
    command = [program, str(configuration)]
    process = children.spawn(command, folder / "pgbouncer.log", identity=identity)
    try:
        _wait(process, port, folder / "pgbouncer.log")
        yield f"postgresql+asyncpg://cosmo@127.0.0.1:{port}"
    finally:
        children.stop(process, signal.SIGTERM, 5)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"pgbouncer did not start: {log.read_text()[-800:]}")
