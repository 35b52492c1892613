"""Files that are being downloaded: what has come of them, kept from one process to the next."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.archive.downloads.errors import StoppedError
from shared.outages import refusal

__all__ = ["PartFile", "RemoteFile", "sweep_parts"]

_LOCK = "lock"
_POLL_SECONDS = 0.2
"""Pause between two looks whether another worker is done with a file."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Attributes
    ----------
    url
        Address.
    name
        Name that it gets.
    identity
        Changes when the file does: what was kept of another version is not used.
    md5
        MD5 that the source lists, hexadecimal; empty where it lists none.
    size
        Size that the source lists, bytes: a hint that decides nothing.
    authorization
        Value of the header ``Authorization``, for the host of the address and no other; empty for
        what everybody may have.
    """

    url: str
    name: str
    identity: str
    md5: str = ""
    size: int | None = None
    authorization: str = field(default="", repr=False)


class PartFile:
    """What has come of a file, in a folder of its own beside the validator that the server gave.

    Parameters
    ----------
    parts
        Folder of all of them, which other workers may share.
    file
        The file.

    Attributes
    ----------
    complete
        Where it is once all of it has come.
    """

    def __init__(self, parts: Path, file: RemoteFile) -> None:
        key = hashlib.sha256(f"{file.url} {file.identity}".encode()).hexdigest()[:32]
        self._folder = parts / key
        self.complete = self._folder / file.name
        self._growing = self._folder / f"{file.name}.part"
        self._record = self._folder / "record.json"

    @property
    def size(self) -> int:
        """Bytes that have come."""
        try:
            return self._growing.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def validator(self) -> str | None:
        """What the server must still say of the file so that the rest may be appended.

        None where the download must start from the first byte.
        """
        return self._recorded()[0] if self.size else None

    @property
    def is_whole(self) -> bool:
        """Whether all has come that the server announced."""
        return self.validator is not None and self.size == self.expected

    @property
    def expected(self) -> int | None:
        """Bytes that the server announced, if it did."""
        return self._recorded()[1]

    def _recorded(self) -> tuple[str | None, int | None]:
        try:
            record = json.loads(self._record.read_text())
            return record["validator"], record["size"]
        except (OSError, ValueError, KeyError, TypeError):  # none, or one that a crash cut short
            return None, None

    @contextmanager
    def locked(self, stop: threading.Event) -> Iterator[None]:
        """Wait until no other worker uses the file, and keep others away.

        Raises
        ------
        StoppedError
            If asked to stop meanwhile.
        TransientError
            If the folder cannot be made.
        """
        while not stop.is_set():
            try:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise self._refusal(error) from error
            with _try_lock(self._folder) as held:
                if held:
                    yield
                    return
            stop.wait(_POLL_SECONDS)
        raise StoppedError

    def begin(self, validator: str | None, size: int | None) -> None:
        """Throw away what has come, and note what the server says of the file that comes now."""
        self._growing.unlink(missing_ok=True)
        # In this order a crash leaves a record without a file, never a file with a wrong record.
        try:
            self._record.write_text(json.dumps({"validator": validator, "size": size}))
        except OSError as error:
            raise self._refusal(error) from error

    def append(self, chunks: Iterable[bytes]) -> None:
        """Append what comes; none of it is held back, so that a kill loses nothing of it.

        Raises
        ------
        TransientError
            If the disk does not take it.
        """
        try:
            with self._growing.open("ab", buffering=0) as stream:
                for chunk in chunks:
                    left = memoryview(chunk)
                    while left:
                        left = left[stream.write(left) :]
        except OSError as error:
            raise self._refusal(error) from error

    def md5(self) -> str:
        """Return the MD5 of what has come, hexadecimal."""
        with self._growing.open("rb") as stream:
            return hashlib.file_digest(stream, "md5").hexdigest()

    def finish(self) -> None:
        """Give the file its name."""
        self._growing.replace(self.complete)

    def forget(self) -> None:
        """Throw away what has come, complete or not."""
        for path in (self._growing, self.complete, self._record):
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder, unless another worker uses it."""
        with contextlib.suppress(FileNotFoundError), _try_lock(self._folder) as held:
            if held:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _refusal(self, error: OSError) -> Exception:
        return refusal(
            error,
            f"the folder of downloads {self._folder.parent} did not take {self.complete.name}: "
            f"{error}; free space there, or let COSMO_ARCHIVE__DOWNLOAD_FOLDER name another folder",
        )


@contextmanager
def _try_lock(folder: Path) -> Iterator[bool]:
    """Lock a folder of a file, unless somebody has; says whether it is locked now.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    path = folder / _LOCK
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            # Who had it may have removed it, so that the next one locks another file.
            same = path.stat().st_ino == os.fstat(lock.fileno()).st_ino
        except FileNotFoundError:
            same = False
        yield same


def sweep_parts(parts: Path, older_than: float) -> list[str]:
    """Remove what nobody went on with.

    Parameters
    ----------
    parts
        Folder of files that are being downloaded.
    older_than
        Age of the last byte, seconds.

    Returns
    -------
    list of str
        Names of the removed files.
    """
    latest = time.time() - older_than
    removed: list[str] = []
    for lock in parts.glob(f"*/{_LOCK}"):
        folder = lock.parent
        with contextlib.suppress(FileNotFoundError), _try_lock(folder) as held:
            content = {path.name: path.stat().st_mtime for path in folder.iterdir()}
            if held and max(content.values()) < latest:
                shutil.rmtree(folder, ignore_errors=True)
                removed += [name for name in content if name not in (_LOCK, "record.json")]
    return removed
