"""The file store: an fsspec URL. Files are checksummed, and visible only once they are whole.

Nothing is overwritten.
"""

import contextlib
import hashlib
import io
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from shared.errors import CosmoError, OutageError, PermanentError
from shared.metrics import STORE_FAILURES, STORE_SECONDS
from shared.streams import CheckedStream
from shared.urls import path_of

__all__ = ["Store", "StoredEntry", "StoredFile", "sha256_of"]

_BUFFER = 1 << 18
_READ_AHEAD = 1 << 21
"""Bytes that are asked for at once beyond what is read, as most reads want the headers alone.

By default fsspec asks an object store for 50 MB.
"""
_STAGING = ".staging"
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci"})
"""Protocols of stores that show an object when its upload is complete.

They have neither folders nor a way to rename.
"""


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
    """A file of a folder: its name, its size in bytes, and what changes whenever it does."""

    name: str
    size: int
    version: str = field(default="", compare=False)


def _name_of(entry: Mapping[str, Any]) -> str:
    return str(entry["name"]).rsplit("/", 1)[-1]


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


def _is_lasting(error: BaseException | None) -> bool:
    """Return whether an error is one of the settings: no or wrong credentials, no right to write,
    an impossible name.

    Client libraries have types of their own for these, which are not imported here.
    """
    named = any(word in type(error).__name__ for word in ("Credential", "Validation"))
    wrong = (PermissionError, ValueError, NotADirectoryError, FileExistsError, FileNotFoundError)
    return named or isinstance(error, wrong)


def _reason(error: BaseException | None) -> str:
    """Return the message of an error in a line."""
    return " ".join(str(error).split()) or type(error).__name__


class Store:
    """Files by folder and name below one URL.

    Nothing is asked of it before it is used, so that it may be away at the start as at any time.
    Whatever its file system raises is an outage, but for a file that is not there.

    Parameters
    ----------
    url
        fsspec URL; a local path or ``file://`` by default, ``s3://`` and the like in production.
    setting
        Name of the setting that names it, for errors.
    """

    def __init__(self, url: str, setting: str = "COSMO_STORE_URL") -> None:
        self.url = url
        self._setting = setting

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """File system and path of the store."""
        if path := path_of(self.url):
            return LocalFileSystem(), str(path).rstrip("/")
        try:
            # Other processes write as well: a listing is true for one moment.
            fs, root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise PermanentError(
                f"the store {self.url} cannot be used: {error}; let {self._setting} name a "
                "folder, or a URL whose package for fsspec is installed"
            ) from error
        return fs, str(root).rstrip("/")

    @cached_property
    def _fs(self) -> Any:
        return self._place[0]

    @cached_property
    def _root(self) -> str:
        return self._place[1]

    @property
    def is_local(self) -> bool:
        """Whether it is a folder that this machine sees."""
        return isinstance(self._fs, LocalFileSystem)

    @property
    def staging(self) -> Path | None:
        """Folder of a local store for what is not published; None of one that is not local."""
        return Path(self._root) / _STAGING if self.is_local else None

    @property
    def free_bytes(self) -> int | None:
        """Room on the disk of a local store; None of one that is not local, or not there."""
        if not self.is_local:
            return None
        root = Path(self._root)
        place = next((folder for folder in (root, *root.parents) if folder.is_dir()), None)
        return None if place is None else shutil.disk_usage(place).free

    @property
    def _holds_objects(self) -> bool:
        protocols = self._fs.protocol
        return not _OBJECT_STORES.isdisjoint(
            (protocols,) if isinstance(protocols, str) else protocols
        )

    @contextmanager
    def _using(self, failing: str, operation: str) -> Iterator[None]:
        """Take what a file system raises for an outage.

        Parameters
        ----------
        failing
            What the store does not do when it fails.
        operation
            Name of the operation among the metrics.

        Raises
        ------
        FileNotFoundError
            If a file is not there.
        OutageError
            If anything else is wrong, or its bucket is not there.
        """
        try:
            with STORE_SECONDS.labels(operation).time():
                yield
        except CosmoError:
            raise
        except FileNotFoundError as error:
            if self._holds_objects and not self._has_bucket():
                gone = f"there is no bucket {self._bucket!r} any more"
                raise OutageError(
                    f"the store {self.url} {failing}: {gone}; create it again"
                ) from error
            raise
        except Exception as error:
            STORE_FAILURES.labels(operation).inc()
            raise self._outage(failing, error) from error

    @property
    def _bucket(self) -> str:
        return self._root.split("/")[0]

    def _has_bucket(self) -> bool:
        try:
            self._fs.info(self._bucket)
        except FileNotFoundError:
            return False
        except Exception as error:
            raise self._outage("does not answer", error) from error
        return True

    def _outage(self, failing: str, error: Exception) -> OutageError:
        return OutageError(
            f"the store {self.url} {failing}: {_reason(error)}; free space or repair it"
        )

    def require(self, *, writing: bool = True) -> None:
        """Refuse a store that cannot work as it is set, however long one waits.

        Parameters
        ----------
        writing
            Whether this process writes to it: a folder is then made, unless it is there.

        Raises
        ------
        PermanentError
            If its package is missing, its credentials are missing or refused, its bucket is not
            there, or its folder cannot be written.
        OutageError
            If it does not answer.
        """
        try:
            with self._using("does not answer", "check"):
                if self._holds_objects and not self._bucket:
                    raise ValueError("it names no bucket")
                if self._holds_objects:
                    self._fs.info(self._bucket)
                elif writing:
                    self._fs.makedirs(f"{self._root}/{_STAGING}", exist_ok=True)
                    if self.is_local and not os.access(self._root, os.W_OK | os.X_OK):
                        raise PermissionError("its folder cannot be written")
        except (OutageError, FileNotFoundError) as error:
            cause = error.__cause__ if isinstance(error, OutageError) else error
            if self._holds_objects and isinstance(cause, FileNotFoundError):
                raise PermanentError(
                    f"the store {self.url} cannot be used: there is no bucket {self._bucket!r}; "
                    f"create it, or correct {self._setting}"
                ) from error
            if _is_lasting(cause):
                raise PermanentError(
                    f"the store {self.url} cannot be used: {_reason(cause)}; correct "
                    f"{self._setting}, or give this process the rights or credentials to use it"
                ) from error
            raise

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
        stored = StoredFile(path, source.name, source.stat().st_size, sha256 or sha256_of(source))
        failing = f"did not take {path}/{source.name}"
        try:
            with self._using(failing, "publish"):
                if self._holds_objects:
                    # What is there already is the same: the folder names the content or the run.
                    self._fs.put_file(str(source), target)
                else:
                    self._move_in(source, target, stored.size)
        except FileNotFoundError as error:  # the bucket, or a folder that was removed meanwhile
            raise self._outage(failing, error) from error
        return stored

    def _move_in(self, source: Path, target: str, size: int) -> None:
        """Copy a file to where nobody looks, and move it to its place."""
        if self._fs.exists(target) and self._fs.size(target) == size:
            return
        staged = f"{self._root}/{_STAGING}/{uuid.uuid4().hex}"
        self._fs.makedirs(f"{self._root}/{_STAGING}", exist_ok=True)
        self._fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        try:
            self._fs.put_file(str(source), staged)
            self._fs.mv(staged, target)
        except Exception:
            with contextlib.suppress(Exception):
                self._fs.rm(staged)
            raise

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
            If the store cannot be read, here or within the block.
        """
        failing = f"does not hand out {path}"
        try:
            with self._using(failing, "open"):
                opened = self._fs.open(f"{self._root}/{path}", "rb", block_size=_READ_AHEAD)
        except FileNotFoundError as error:
            raise PermanentError(f"{path} is not in the store {self.url}") from error
        if self.is_local:  # where an error of reading may be one of the file, not of the store
            with opened:
                yield opened
            return
        checked = CheckedStream(opened, lambda error: self._outage(failing, error))
        with io.BufferedReader(checked, _BUFFER) as stream:
            yield cast("IO[bytes]", stream)

    def fetch(self, path: str, folder: Path) -> Path:
        """Return the local copy of a stored file.

        A local store hands out the file itself, to be read only.

        Parameters
        ----------
        path
            Folder and name in the store.
        folder
            Where a copy goes when one is needed.

        Raises
        ------
        PermanentError
            If there is no such file.
        OutageError
            If the store cannot be read.
        """
        target = Path(f"{self._root}/{path}") if self.is_local else folder / Path(path).name
        try:
            if self.is_local:
                target.stat()
            else:
                folder.mkdir(parents=True, exist_ok=True)
                with self._using(f"does not hand out {path}", "fetch"):
                    self._fs.get_file(f"{self._root}/{path}", str(target))
        except FileNotFoundError as error:
            raise PermanentError(f"{path} is not in the store {self.url}") from error
        return target

    def files(self, path: str) -> list[StoredEntry]:
        """Return the names and sizes of the files in a folder; empty where there is none.

        Raises
        ------
        OutageError
            If the store cannot be read.
        """
        return [
            StoredEntry(
                _name_of(entry), int(entry["size"]), str(entry.get("ETag") or _modified(entry))
            )
            for entry in self._entries(path)
            if entry["type"] != "directory"
        ]

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders below a folder; empty where there is none.

        Raises
        ------
        OutageError
            If the store cannot be read.
        """
        return sorted(
            _name_of(entry) for entry in self._entries(path) if entry["type"] == "directory"
        )

    def _entries(self, path: str) -> list[dict[str, Any]]:
        try:
            with self._using(f"does not list {path}", "list"):
                return list(self._fs.ls(f"{self._root}/{path}".rstrip("/"), detail=True))
        except FileNotFoundError:
            return []

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

        removed: list[OSError] = []

        def note(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                raise error
            removed.append(error)

        with self._using("cannot be listed", "walk"):
            for folder, _, files in self._fs.walk(self._root, detail=True, on_error=note):
                path = str(folder).removeprefix(self._root).strip("/")
                if path.split("/")[0] != _STAGING:
                    yield from (
                        (path, name)
                        for name, details in files.items()
                        if _modified(details) <= latest
                    )
            if removed and self._holds_objects and not self._has_bucket():
                raise removed[0]

    def remove(self, path: str) -> None:
        """Remove a folder and what is in it; no error where there is none.

        Raises
        ------
        OutageError
            If the store does not do it.
        """
        failing = f"does not remove {path}"
        with contextlib.suppress(FileNotFoundError), self._using(failing, "remove"):
            self._fs.rm(f"{self._root}/{path}", recursive=True)
