"""Downloads by the archive service's downloader, and by a bare loop of httpx beside them."""

import http.server
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import numpy as np
import psutil
from astropy.io import fits

from services.archive.downloads import Downloader, RemoteFile
from shared.fits import check_fits
from shared.settings import ArchiveSettings

__all__ = ["Load", "Measured", "measure"]

_CONNECTIONS = 4
_JOBS = 2
"""Jobs at once of an archive process, each with as many threads as a host has connections."""

_HEADER_BYTES = 2880
_WATCH_SECONDS = 0.05
"""Pause between two looks at the memory."""


@dataclass(frozen=True)
class Load:
    """Files to download: how many, of how many bytes, behind how many seconds of latency."""

    count: int
    size: int
    latency: float = 0.0

    @property
    def shortest(self) -> float:
        """Least time that the latency alone takes on all connections, seconds."""
        return self.count * self.latency / _CONNECTIONS


@dataclass(frozen=True)
class Measured:
    """Seconds of both ways, the CPU seconds of their processes, and the memory that ours took."""

    load: Load
    bare: tuple[float, float]
    ours: tuple[float, float]
    memory: float

    def __str__(self) -> str:
        load = self.load
        line = (
            f"{load.count} files of {load.size / 1e6:g} MB: httpx {self.bare[0]:.2f} s "
            f"(CPU {self.bare[1]:.2f}), COSMO {self.ours[0]:.2f} s (CPU {self.ours[1]:.2f}), "
            f"{self.ours[0] / self.bare[0]:.2f} times; {self.memory / 1e6:.0f} MB above idle"
        )
        if load.latency:
            line += f"; {load.shortest / self.ours[0]:.0%} of what the latency allows"
        return line


def measure(load: Load, folder: Path) -> Measured:
    """Download everything both ways, one after the other, each in a process of its own.

    Parameters
    ----------
    load
        What to download.
    folder
        Folder for the files.
    """
    context = multiprocessing.get_context("spawn")
    served = folder / "served.fits"
    rows = (load.size - _HEADER_BYTES) // _HEADER_BYTES
    image = np.random.default_rng(1).integers(0, 256, (rows, _HEADER_BYTES), dtype=np.uint8)
    fits.PrimaryHDU(image).writeto(served)
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(served, load.latency, there), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}"
    try:
        bare, _ = _in_a_process(_bare, load, url, folder)
        ours, memory = _in_a_process(_ours, load, url, folder)
    finally:
        server.terminate()
        server.join()
    return Measured(load, bare, ours, memory)


Way = Callable[[Load, str, Path, Connection], None]


def _in_a_process(
    way: Way, load: Load, url: str, folder: Path
) -> tuple[tuple[float, float], float]:
    """Return seconds and CPU seconds of a way, and its memory above that of the idle process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=way, args=(load, url, folder, there))
    process.start()
    there.close()
    measured: tuple[tuple[float, float], float] = here.recv()
    process.join()
    return measured


def _timed(
    download: Callable[[int], None], load: Load, answer: Connection, threads: int = _CONNECTIONS
) -> None:
    process, over = psutil.Process(), threading.Event()
    sizes = [process.memory_info().rss]

    def watch() -> None:
        while not over.wait(_WATCH_SECONDS):
            sizes.append(process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    started, cpu = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(download, range(load.count)))
    taken = time.monotonic() - started, time.process_time() - cpu
    over.set()
    watching.join()
    answer.send((taken, max(sizes) - sizes[0]))


def _bare(load: Load, url: str, folder: Path, answer: Connection) -> None:
    client = httpx.Client()

    def download(number: int) -> None:
        target = folder / f"{number}.fits"
        with client.stream("GET", f"{url}/{target.name}") as reply, target.open("wb") as stream:
            for chunk in reply.iter_raw():
                stream.write(chunk)
        target.unlink()

    _timed(download, load, answer)


def _ours(load: Load, url: str, folder: Path, answer: Connection) -> None:
    downloader = Downloader(folder / "parts", ArchiveSettings(download_connections=_CONNECTIONS))

    def download(number: int) -> None:
        file = RemoteFile(f"{url}/{number}.fits", f"{number}.fits", "")
        with downloader.downloaded(file, check_fits, threading.Event()):
            pass
        downloader.discard(file)

    _timed(download, load, answer, _JOBS * _CONNECTIONS)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, path: Path, latency: float, *arguments: object) -> None:
        self._path, self._latency = path, latency
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Send the file, whatever its address."""
        time.sleep(self._latency)
        self.send_response(200)
        self.send_header("Content-Length", str(self._path.stat().st_size))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.flush()
        with self._path.open("rb") as stream:
            self.connection.sendfile(stream)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep quiet."""


def _serve(path: Path, latency: float, answer: Connection) -> None:
    handler = partial(_Handler, path, latency)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        answer.send(server.server_port)
        server.serve_forever()
