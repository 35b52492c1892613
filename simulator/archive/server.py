"""Server of the stand-in archive."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from shared.errors import PermanentError
from simulator.archive.cadc import CadcServices
from simulator.archive.catalogue import Catalogue
from simulator.archive.crds import CrdsServer
from simulator.archive.faults import FaultRule, FaultyArchive
from simulator.archive.mast_files import MastFiles
from simulator.archive.mast_missions import MissionsApi
from simulator.archive.mast_portal import PortalApi
from simulator.archive.s3 import PublicBucket

__all__ = ["ArchiveServer", "running_archive"]

_HOST = "127.0.0.1"
_GRACE_SECONDS = 1


class ArchiveServer:
    """The archives of a folder at one address of this machine.

    Parameters
    ----------
    folder
        Folder of COS data.
    port
        Port; 0 chooses a free one.
    rules
        What goes wrong.
    rows
        Catalogue entries without files.
    report
        Called with a line for each request.

    Attributes
    ----------
    url
        Address, without a slash at its end.

    Raises
    ------
    PermanentError
        If the folder, its description or the port cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        rules: Iterable[FaultRule] = (),
        rows: int = 0,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._socket = _listen(port)
        self.url = f"http://{_HOST}:{self._socket.getsockname()[1]}"
        try:
            self._catalogue = Catalogue(folder, rows)
        except BaseException:
            self._socket.close()
            raise
        self._references = CrdsServer(folder)
        app = Starlette(
            routes=[
                *MissionsApi(self._catalogue).routes,
                *PortalApi(self._catalogue).routes,
                *MastFiles(self._catalogue).routes,
                *PublicBucket(self._catalogue).routes,
                *CadcServices(self._catalogue).routes,
                *self._references.routes,
            ]
        )
        config = uvicorn.Config(
            FaultyArchive(app, rules, report),
            log_level="critical",  # a connection that is cut on purpose is no error
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._server = uvicorn.Server(config)

    @property
    def started(self) -> bool:
        """Whether it answers."""
        return self._server.started

    def run(self) -> None:
        """Serve until `stop`, or until a signal ends the process."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._catalogue.close()
            self._references.close()

    def stop(self) -> None:
        """Let `run` return."""
        self._server.should_exit = True


@contextmanager
def running_archive(
    folder: Path,
    *,
    rules: Iterable[FaultRule] = (),
    rows: int = 0,
    report: Callable[[str], None] = lambda _: None,
) -> Iterator[str]:
    """Serve a folder from a thread of this process; gives the address.

    Parameters
    ----------
    folder, rules, rows, report
        As for `ArchiveServer`.
    """
    server = ArchiveServer(folder, rules=rules, rows=rows, report=report)
    thread = threading.Thread(target=server.run, name="stand-in archive", daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        yield server.url
    finally:
        server.stop()
        thread.join()


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise PermanentError(
            f"port {port} cannot be used: {reason}; choose another one, or 0 for a free one"
        ) from error
    return listening
