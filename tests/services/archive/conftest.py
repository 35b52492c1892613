"""A real web server of files."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest


@dataclass
class FileServer:
    """Where it listens, and which paths it refuses."""

    url: str = ""
    locked: set[str] = field(default_factory=set)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Static files with listings of folders; no ranges."""

    def __init__(self, server: FileServer, *args: object, directory: str) -> None:
        self._settings = server
        super().__init__(*args, directory=directory)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path.strip("/") in self._settings.locked:
            self.send_error(403)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep quiet."""


@pytest.fixture
def serve() -> Iterator[Callable[[Path], FileServer]]:
    """Start a server of a folder."""
    with ExitStack() as stack:

        def start(folder: Path) -> FileServer:
            settings = FileServer()
            handler = partial(_Handler, settings, directory=str(folder))
            server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(
                target=partial(server.serve_forever, poll_interval=0.05), daemon=True
            ).start()
            stack.callback(server.shutdown)
            settings.url = f"http://127.0.0.1:{server.server_port}"
            return settings

        yield start
