"""A real S3 server as tests drive it: started, killed at a request, started again."""

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

__all__ = ["ObjectStore"]

_PROGRAM = Path(__file__).with_name("s3_server.py")
_WAIT_SECONDS = 120.0


class ObjectStore:
    """An S3 server with one bucket, whose objects outlive it.

    Parameters
    ----------
    folder
        Folder that they are in.

    Attributes
    ----------
    environment
        Variables by which clients find it.
    url
        URL of its bucket.
    """

    url = "s3://bucket"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.environment = {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}",
            "AWS_MAX_ATTEMPTS": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it serves."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self.running:
            return
        with (self._folder / "log").open("ab") as log:
            command = [sys.executable, str(_PROGRAM), str(self._port), str(self._folder)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait(self._listens, "the S3 server to answer")

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def kill_at(self, request: str) -> None:
        """Let it be killed by the next request whose method and path match an expression."""
        (self._folder / "kill").write_text(request)

    def keep_alive(self) -> None:
        """Let no request kill it any more."""
        (self._folder / "kill").unlink(missing_ok=True)

    def wait_until_killed(self) -> None:
        """Wait for that request."""
        self._wait(lambda: not self.running, "the S3 server to be killed")

    def check_keys(self, *, checking: bool) -> None:
        """Let it refuse keys that nobody was given, of which its clients' is one."""
        trusted = b"0" if checking else b"inf"  # requests that it does not check
        url = f"{self.environment['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
        request = urllib.request.Request(url, trusted, {"Content-Type": "text/plain"})
        urllib.request.urlopen(request).close()

    def requests(self, matching: str = "") -> list[str]:
        """List methods, paths and ranges of the requests that match an expression, oldest first."""
        lines = (self._folder / "requests").read_text().splitlines()
        return [line for line in lines if re.search(matching, line)]

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port)).close()
        except OSError:
            assert self.running, (self._folder / "log").read_text()
            return False
        return True

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what}"
            time.sleep(0.02)
