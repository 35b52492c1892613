"""The real association as an archive has it, replies of real archives, and impatient settings."""

import gzip
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.settings import ArchiveSettings
from simulator.archive.faults import Kind
from simulator.archive.server import running_archive


@pytest.fixture(scope="session")
def association(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of the real association, unpacked."""
    folder = tmp_path_factory.mktemp("association")
    for packed in (data_dir / "ldfd01010" / "raw").iterdir():
        (folder / packed.name.removesuffix(".gz")).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


@pytest.fixture(scope="session")
def recorded(data_dir: Path) -> Path:
    """Return the folder of what the real archives replied."""
    return data_dir / "archive-responses"


@pytest.fixture(scope="module")
def archive(association: Path) -> Iterator[str]:
    """Address of a stand-in that serves it without faults."""
    with running_archive(association) as url:
        yield url


@pytest.fixture(scope="session")
def checksums(association: Path) -> dict[str, str]:
    """MD5 of each file of the association."""
    return {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in association.iterdir()}


def settings_at(url: str, **settings: Any) -> ArchiveSettings:
    """Return settings that point every catalogue at one address, and do not wait long."""
    return ArchiveSettings.model_validate(
        {
            "mast_url": url,
            "s3_url": url,
            "cadc_url": url,
            "metadata_rate": 1000.0,
            "download_backoff_seconds": 0.01,
            "download_silence_seconds": 30.0,
            "download_attempts": 3,
            **settings,
        }
    )


def fault_id(fault: object) -> str:
    """Return the name of a test with a fault."""
    return " ".join(map(str, fault.values())) if isinstance(fault, dict) else ""


def patience(fault: Mapping[str, Any], seconds: float) -> dict[str, float]:
    """Return settings for an archive with a fault: little patience, where it is silent."""
    return {"download_silence_seconds": seconds} if fault["kind"] is Kind.SILENCE else {}


@dataclass
class Replies:
    """A server that gives prepared replies, the last one again and again, and what it was asked."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    kind: str = "application/json"
    asked: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def say(self, *replies: Any) -> None:
        """Prepare replies, of JSON."""
        self.bodies = [json.dumps(reply).encode() for reply in replies]


@pytest.fixture
def replies() -> Iterator[Replies]:
    """Serve prepared replies."""
    state = Replies()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.asked.append((self.path, content, dict(self.headers)))
            body = state.bodies.pop(0) if len(state.bodies) > 1 else state.bodies[0]
            self.send_response(200)
            self.send_header("Content-Type", state.kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - the base class's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()


@contextmanager
def left_out(catalogue: str) -> Iterator[list[str]]:
    """Give the reasons for which rows of a catalogue were left out, once the block has ended."""
    reasons: list[str] = []
    with capture_logs() as lines:
        yield reasons
    for line in lines:
        if line["event"] == "rows of a catalogue left out":
            assert line["catalogue"] == catalogue
            reasons += line["reasons"]
