"""A real web server of files, and the archive service in turns."""

import gzip
import http.server
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from astropy.io import fits

from cosmo.launcher.embedded import EmbeddedValkey
from shared.database.engine import Database
from shared.worker.broker import Messenger, make_broker
from tests.services.archive.service_in_turns import RAW, ROOT, SPT, ServiceInTurns


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


@pytest.fixture(scope="session")
def visit(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the real association of one exposure, with a hundred events."""
    raw, folder = data_dir / ROOT / "raw", tmp_path_factory.mktemp("visit")
    with fits.open(raw / f"{ROOT}_asn.fits.gz") as hdus:
        hdus["ASN"].data = hdus["ASN"].data[[0, 4]]
        hdus.writeto(folder / f"{ROOT}_asn.fits")
    with fits.open(raw / f"{RAW}.gz") as hdus:
        hdus["EVENTS"].data = hdus["EVENTS"].data[:100]
        hdus.writeto(folder / RAW)
    for name in (SPT, f"{ROOT}_jit.fits"):
        (folder / name).write_bytes(gzip.decompress((raw / f"{name}.gz").read_bytes()))
    return folder


@pytest.fixture
async def service(
    database: Database, valkey: EmbeddedValkey, visit: Path, tmp_path: Path
) -> AsyncIterator[ServiceInTurns]:
    """Return the service, whose archive has that folder."""
    shutil.copytree(visit, tmp_path / "data")
    broker = make_broker(valkey.url)
    broker.client.flushall()
    yield ServiceInTurns(database, Messenger(broker), tmp_path)
    broker.close()
