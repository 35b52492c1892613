"""The downloader: gets whole files over HTTP, whatever servers and processes do meanwhile."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from services.archive.downloads.errors import (
    FailedFileError,
    InterruptedDownloadError,
    OtherContentError,
    StoppedError,
)
from services.archive.downloads.hosts import Hosts
from services.archive.downloads.parts import PartFile, RemoteFile
from services.archive.downloads.replies import (
    body_size,
    check_rest,
    md5_of,
    refuse_failure,
    refuse_other_content,
    validator_of,
)
from services.archive.politeness import LONGEST_RETRY_AFTER_SECONDS, USER_AGENT, pause_after
from shared.errors import PermanentError, TransientError
from shared.logs import get_logger
from shared.masking import mask_passwords
from shared.settings import ArchiveSettings
from shared.store import sha256_of

__all__ = ["Downloader"]

_PROGRESS_BYTES = 1 << 20
"""An attempt that brought this much does not count as failed."""

_MAX_REDIRECTS = 5
_MAX_DAMAGED = 3
"""Downloads of one file that are all damaged, each in another way, before it is given up."""


class Downloader:
    """Downloads files; its methods may be called from any thread.

    A file that was being downloaded goes on where it broke, also when another process did so. One
    that is there is not downloaded again until it is discarded.

    Parameters
    ----------
    folder
        Folder of what is being downloaded, which other workers may share.
    settings
        Connections, time-outs and attempts.
    """

    def __init__(self, folder: Path, settings: ArchiveSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._hosts = Hosts(settings.download_connections)
        self._client = httpx.Client(
            # A range is one of the file's own bytes, and so is its length.
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(
                settings.download_silence_seconds,
                connect=settings.download_connect_seconds,
                pool=None,
            ),
            limits=httpx.Limits(max_connections=None),
            follow_redirects=True,
            max_redirects=_MAX_REDIRECTS,
        )

    @property
    def connections(self) -> int:
        """Most downloads at once from one host."""
        return self._settings.download_connections

    @contextmanager
    def downloaded(
        self, file: RemoteFile, check: Callable[[Path], object], stop: threading.Event
    ) -> Iterator[Path]:
        """Give the local path of a file, downloaded before or now, and keep others from it.

        Parameters
        ----------
        file
            The file.
        check
            Raises PermanentError where the content is damaged. It is downloaded once more then.
        stop
            Set when it is no longer wanted.

        Raises
        ------
        PermanentError
            If the server will never hand it out, or hands out the same damaged content twice.
        TransientError
            If it did not come after all attempts.
        FailedFileError
            If the server answered the last one, and said that it failed (500).
        OtherContentError
            If its MD5 is twice the same, and not the one that its source lists.
        OutageError
            If this machine cannot take it.
        StoppedError
            If asked to stop.
        """
        part = PartFile(self._folder, file)
        with part.locked(stop):
            self._get(file, part, check, stop)
            yield part.complete

    def discard(self, file: RemoteFile) -> None:
        """Remove a downloaded file, unless another worker uses it."""
        PartFile(self._folder, file).remove()

    def _get(
        self,
        file: RemoteFile,
        part: PartFile,
        check: Callable[[Path], object],
        stop: threading.Event,
    ) -> None:
        damaged: set[str] = set()
        while True:
            if not part.complete.exists():
                self._complete(file, part, stop)
            try:
                _compare(part.complete, file)
                check(part.complete)
            except (PermanentError, OtherContentError) as error:
                sha256 = sha256_of(part.complete)
                part.forget()
                if sha256 in damaged:
                    raise
                damaged.add(sha256)
                if len(damaged) >= _MAX_DAMAGED:
                    raise TransientError(
                        f"{file.url} comes with other damage each time: {error}; it is tried again"
                    ) from error
                _log("downloaded a damaged file; asking again", file, reason=str(error))
            else:
                return

    def _complete(self, file: RemoteFile, part: PartFile, stop: threading.Event) -> None:
        """Ask until the last byte is there."""
        host = urlsplit(file.url).netloc
        failures = 0
        while not part.is_whole:
            start = part.size
            try:
                with self._hosts.slot(host, stop):
                    self._ask(file, part, stop)
            except InterruptedDownloadError as error:
                failures = 0 if part.size - start >= _PROGRESS_BYTES else failures + 1
                wait = error.wait or 0.0
                if (
                    failures >= self._settings.download_attempts
                    or wait > LONGEST_RETRY_AFTER_SECONDS
                ):
                    kind = FailedFileError if error.of_file else TransientError
                    raise kind(f"{file.url} cannot be read: {error}; it is tried again") from error
                self._hosts.pause(host, wait)
                pause = pause_after(failures, self._settings.download_backoff_seconds)
                _log(
                    "download interrupted",
                    file,
                    reason=str(error),
                    bytes=part.size,
                    pause=round(max(wait, pause), 1),
                )
                if stop.wait(pause):
                    raise StoppedError from error
            else:
                break
        part.finish()

    def _ask(self, file: RemoteFile, part: PartFile, stop: threading.Event) -> None:
        """Ask once for what is missing."""
        validator, start = part.validator, part.size
        headers = {"Range": f"bytes={start}-", "If-Range": validator} if validator else {}
        if file.authorization:  # which the client leaves out where a redirect names another host
            headers["Authorization"] = file.authorization
        try:
            with self._client.stream("GET", file.url, headers=headers) as reply:
                if reply.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    part.forget()
                refuse_failure(reply, file.url)
                refuse_other_content(reply, file.name)
                self._agree(reply, part, start, validator)
                self._receive(reply, part, stop)
        except httpx.ReadTimeout as error:
            raise InterruptedDownloadError(
                f"no byte came for {self._settings.download_silence_seconds:g} s"
            ) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise PermanentError(f"{file.url} is no address: {error}") from error
        except httpx.HTTPError as error:
            raise InterruptedDownloadError(str(error) or type(error).__name__) from error

    def _agree(
        self, reply: httpx.Response, part: PartFile, start: int, validator: str | None
    ) -> None:
        """Prepare the part file for what the server sends: the rest, or all of it."""
        if reply.status_code == HTTPStatus.OK:
            part.begin(validator_of(reply), body_size(reply))
            return
        try:
            if validator is None:
                raise InterruptedDownloadError("the server sends a range that nobody asked for")
            check_rest(reply, start, validator, part.expected)
        except InterruptedDownloadError:
            part.forget()
            raise

    def _receive(self, reply: httpx.Response, part: PartFile, stop: threading.Event) -> None:
        """Append the body, and compare the whole with what the server declares."""
        part.append(_until(stop, reply.iter_raw()))
        if part.expected not in (None, part.size):
            raise InterruptedDownloadError(f"{part.size} of {part.expected} bytes came")
        declared = md5_of(reply)
        if declared and declared != (found := part.md5()):
            part.forget()
            raise InterruptedDownloadError(f"its MD5 is {found}, not {declared}")


def _compare(path: Path, file: RemoteFile) -> None:
    """Compare what came with what the source lists.

    Raises
    ------
    OtherContentError
        If its MD5 is another one.
    """
    if file.size not in (None, size := path.stat().st_size):
        _log("download has another size than listed", file, bytes=size, listed=file.size)
    if file.md5:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "md5").hexdigest()
        if found != file.md5:
            raise OtherContentError(
                f"{file.url} has the MD5 {found} where its source lists {file.md5}: it may just "
                "have been delivered again; it is tried again"
            )


def _until(stop: threading.Event, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if stop.is_set():
            raise StoppedError
        yield chunk


def _log(event: str, file: RemoteFile, **details: object) -> None:
    get_logger().warning(event, url=mask_passwords(file.url), **details)
