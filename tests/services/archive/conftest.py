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
    """Where it listens, which paths it refuses, whether it knows ranges, and the sizes of those
    that it sent.
    """

    url: str = ""
    locked: set[str] = field(default_factory=set)
    ranges: bool = False
    sent: list[int] = field(default_factory=list)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Static files with listings of folders."""

    def __init__(self, server: FileServer, *args: object, directory: str) -> None:
        self._settings = server
        super().__init__(*args, directory=directory)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path.strip("/") in self._settings.locked:
            self.send_error(403)
        elif self._settings.ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            rest = Path(self.translate_path(self.path)).read_bytes()[start:]
            self._settings.sent.append(len(rest))
            self.send_response(206)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest)
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
