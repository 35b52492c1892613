"""A real Prometheus for tests, and its check of metrics."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cosmo.launcher import processes as children

__all__ = ["Prometheus", "check_metrics", "find_program", "free_port", "prometheus"]

_START_SECONDS = 60.0


def find_program(name: str) -> str:
    """Return the path of ``prometheus`` or ``promtool``.

    Where there is none the test skips, or fails when they are required.
    """
    found = shutil.which(name)
    if found is None:
        if os.environ.get("COSMO_TEST_REQUIRE_PROMETHEUS") == "1":
            pytest.fail(f"no {name}")
        pytest.skip(f"no {name}")
    return found


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_metrics(text: str) -> str:
    """Return what ``promtool check metrics`` says of the metrics of COSMO in an answer."""
    ours = "".join(
        line for line in text.splitlines(keepends=True) if "cosmo_" in line.partition("{")[0]
    )
    done = subprocess.run(
        [find_program("promtool"), "check", "metrics"],
        input=ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout if ours else "no metrics"


class Prometheus:
    """A server of Prometheus that scrapes something.

    Parameters
    ----------
    url
        Its address.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, query: str) -> Any:
        """Return the one value of a query now; None where it has none.

        Several are an error.
        """
        answer = httpx.get(f"{self._url}/api/v1/query", params={"query": query}, timeout=60).json()
        assert answer["status"] == "success", answer
        values = [float(found["value"][1]) for found in answer["data"]["result"]]
        assert len(values) <= 1, answer
        return values[0] if values else None

    def wait(self, query: str, value: float, seconds: float = 60.0) -> None:
        """Wait until a query has a value."""
        deadline = time.monotonic() + seconds
        while (found := self.ask(query)) != value:
            assert time.monotonic() < deadline, f"{query} is {found}, not {value}"
            time.sleep(0.2)


@contextmanager
def prometheus(targets: Iterable[str], folder: Path) -> Iterator[Prometheus]:
    """Run a server that scrapes some addresses for the length of a block."""
    program, port = find_program("prometheus"), free_port()
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "cosmo", "static_configs": [{"targets": list(targets)}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))  # JSON is YAML
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = children.spawn(command, folder / "prometheus.log")
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url, folder / "prometheus.log")
        yield Prometheus(url)
    finally:
        children.stop(process, signal.SIGTERM, 10)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"Prometheus did not start: {log.read_text()[-800:]}")
