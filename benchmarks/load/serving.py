"""A web process of the monitor service, for as long as it is asked."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

__all__ = ["serving"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(url: str, store: str) -> Iterator[tuple[int, str]]:
    """Serve a database; yields the number of the process and the URL that it answers at.

    Parameters
    ----------
    url
        URL of the database.
    store
        URL of the store.

    Raises
    ------
    RuntimeError
        If the process does not answer.
    """
    port = _free_port()
    environment = {
        **os.environ,
        "COSMO_DATABASE_URL": url,
        "COSMO_STORE_URL": store,
        "COSMO_API__PORT": str(port),
        "COSMO_API__HOST": "127.0.0.1",
        "COSMO_LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen([sys.executable, "-m", "services.monitor"], env=environment)
    try:
        base_url = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, base_url)
        yield process.pid, base_url
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_until_ready(process: subprocess.Popen[bytes], base_url: str) -> None:
    for _ in range(600):
        try:
            httpx.get(f"{base_url}/api/v1/health/live", timeout=5.0).raise_for_status()
        except httpx.HTTPError:
            if process.poll() is not None:
                break
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the web process does not answer")
