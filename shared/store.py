"""The file store: an fsspec URL. Files are staged, checksummed and then published.

Nothing is overwritten.
"""

import hashlib
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from shared.errors import OutageError, PermanentError
from shared.urls import path_of

__all__ = ["Store", "StoredEntry", "StoredFile", "sha256_of"]

_CHUNK = 1 << 20
_STAGING = ".staging"


def sha256_of(path: Path) -> str:
    """Return SHA-256 of a local file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class StoredFile:
    """A file that was published: its folder and name in the store, size in bytes, SHA-256."""

    path: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class StoredEntry:
    """A file of a folder: its name, and its size in bytes."""

    name: str
    size: int


def _modified(details: Mapping[str, Any]) -> float:
    """Return when a file was last modified, seconds since 1970.

    0 where its file system does not say.
    """
    found = next(
        (
            details[key]
            for key in ("mtime", "LastModified", "last_modified", "created")
            if key in details
        ),
        0.0,
    )
    return found.timestamp() if isinstance(found, datetime) else float(found or 0.0)


class Store:
    """Files by folder and name below one URL.

    Parameters
    ----------
    url
        fsspec URL; a local path or ``file://`` by default, ``s3://`` and the like in production.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        path = path_of(url)
        self._fs, root = (LocalFileSystem(), path) if path else fsspec.core.url_to_fs(url)
        self._root = str(root).rstrip("/")
        self._local = isinstance(self._fs, LocalFileSystem)

    def publish(self, source: Path, path: str, sha256: str | None = None) -> StoredFile:
        """Copy a local file into the store, visible only once it is whole.

        Parameters
        ----------
        source
            Local file.
        path
            Folder in the store.
        sha256
            Checksum of the file, when the caller has it already.

        Raises
        ------
        OutageError
            If the store cannot take it (full, unreachable).
        """
        target = f"{self._root}/{path}/{source.name}"
        staged = f"{self._root}/{_STAGING}/{uuid.uuid4().hex}"
        digest = sha256 or sha256_of(source)
        try:
            if not self._fs.exists(target) or self._fs.size(target) != source.stat().st_size:
                self._fs.makedirs(f"{self._root}/{_STAGING}", exist_ok=True)
                self._fs.makedirs(f"{self._root}/{path}", exist_ok=True)
                self._fs.put_file(str(source), staged)
                self._fs.mv(staged, target)
        except OSError as error:
            self._discard(staged)
            raise OutageError(
                f"the store {self.url} did not take {path}/{source.name}: {error}; free space or "
                "repair it"
            ) from error
        return StoredFile(path, source.name, source.stat().st_size, digest)

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Open a stored file for reading, with seeks.

        Parameters
        ----------
        path
            Folder and name in the store.

        Raises
        ------
        PermanentError
            If there is no such file.
        OutageError
            If the store cannot be read.
        """
        try:
            stream = self._fs.open(f"{self._root}/{path}", "rb")
        except FileNotFoundError as error:
            raise PermanentError(f"{path} is not in the store {self.url}") from error
        except OSError as error:
            raise OutageError(
                f"the store {self.url} does not hand out {path}: {error}; repair it"
            ) from error
        with stream:
            yield stream

    def fetch(self, path: str, folder: Path) -> Path:
        """Return the local copy of a stored file.

        A local store hands out the file itself, to be read only.

        Parameters
        ----------
        path
            Folder and name in the store.
        folder
            Where a copy goes when one is needed.
        """
        if self._local:
            local = Path(f"{self._root}/{path}")
            if not local.exists():
                raise PermanentError(f"{path} is not in the store {self.url}")
            return local
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / Path(path).name
        with self.open(path) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out, _CHUNK)
        return target

    def files(self, path: str) -> list[StoredEntry]:
        """Return the names and sizes of the files in a folder; empty where there is none.

        Raises
        ------
        OutageError
            If the store cannot be read.
        """
        try:
            found = self._fs.ls(f"{self._root}/{path}", detail=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutageError(
                f"the store {self.url} does not list {path}: {error}; repair it"
            ) from error
        return [
            StoredEntry(str(entry["name"]).rsplit("/", 1)[-1], int(entry["size"]))
            for entry in found
            if entry["type"] != "directory"
        ]

    def walk(self, older_than: float = 0.0) -> Iterator[tuple[str, str]]:
        """Yield the folder and name of each published file.

        Parameters
        ----------
        older_than
            Age from which files are listed, second; one of unknown age is.

        Raises
        ------
        OutageError
            If the store cannot be read.
        """
        latest = time.time() - older_than

        def refuse(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # removed meanwhile
                raise OutageError(
                    f"the store {self.url} cannot be listed: {error}; repair it"
                ) from error

        for folder, _, files in self._fs.walk(self._root, detail=True, on_error=refuse):
            path = str(folder).removeprefix(self._root).strip("/")
            if path.split("/")[0] != _STAGING:
                yield from (
                    (path, name) for name, details in files.items() if _modified(details) <= latest
                )

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders below a folder; empty where there is none."""
        try:
            found = self._fs.ls(f"{self._root}/{path}", detail=True)
        except FileNotFoundError:
            return []
        return sorted(
            str(entry["name"]).rsplit("/", 1)[-1] for entry in found if entry["type"] == "directory"
        )

    def remove(self, path: str) -> None:
        """Remove a folder and what is in it; no error where there is none."""
        target = f"{self._root}/{path}"
        if self._fs.exists(target):
            self._fs.rm(target, recursive=True)

    def _discard(self, staged: str) -> None:
        try:
            self._fs.rm(staged)
        except OSError:
            return
