"""A real file, and downloads of it that do not wait long."""

import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import pytest

from services.archive.downloads import Downloader
from shared.settings import ArchiveSettings

NAME = "ldfd01vnq_rawtag_a.fits"
IN_BUCKET = f"/stpubdata/hst/public/ldfd/ldfd01vnq/{NAME}"
"""Where the stand-in has it, with its MD5 as ETag."""


@pytest.fixture(scope="session")
def folder(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with one real file of 3.4 MB."""
    folder = tmp_path_factory.mktemp("archive")
    packed = data_dir / "ldfd01010" / "raw" / f"{NAME}.gz"
    (folder / NAME).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


@pytest.fixture(scope="session")
def content(folder: Path) -> bytes:
    return (folder / NAME).read_bytes()


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    return tmp_path / "parts"


@pytest.fixture
def make(parts: Path) -> Callable[..., Downloader]:
    """Make a downloader as another process would have it, with settings of its own."""

    def make(**settings: float) -> Downloader:
        patience = {
            "download_backoff_seconds": 0.01,
            "download_silence_seconds": 1.0,
            "download_attempts": 3,
        }
        return Downloader(parts, ArchiveSettings.model_validate({**patience, **settings}))

    return make


@dataclass
class Answers:
    """A server that answers every request alike, and what it was asked.

    Attributes
    ----------
    content, headers
        Its answers.
    asked
        Headers of the requests.
    together
        Most requests that it worked on at once.
    wait
        Called before each answer.
    """

    url: str = ""
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: HTTPStatus = HTTPStatus.OK
    asked: list[dict[str, str]] = field(default_factory=list)
    together: int = 0
    wait: Callable[[], object] = lambda: None


@pytest.fixture
def answers() -> Iterator[Answers]:
    """Serve one content at every address."""
    with _answering() as state:
        yield state


@pytest.fixture
def elsewhere() -> Iterator[Answers]:
    """Serve another one."""
    with _answering() as state:
        yield state


@contextmanager
def _answering() -> Iterator[Answers]:
    state, lock, now = Answers(), threading.Lock(), [0]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                now[0] += 1
                state.together = max(state.together, now[0])
                state.asked.append(dict(self.headers))
            state.wait()
            with lock:
                now[0] -= 1
            self.send_response(state.status)
            for name, value in {"Content-Length": str(len(state.content)), **state.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(state.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()
