"""The store: files are published whole, read, listed and removed."""

import contextlib
import io
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

from shared.errors import PermanentError
from shared.store.files import StoredEntry, StoredFile, sha256_of
from shared.store.place import STAGING, StorePlace
from shared.streams import CheckedStream

__all__ = ["Store"]

_BUFFER = 1 << 18
_READ_AHEAD = 1 << 21
"""Bytes that are asked for at once beyond what is read, as most reads want the headers alone.

By default fsspec asks an object store for 50 MB.
"""


class Store(StorePlace):
    """Files by folder and name below one URL."""

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
        staged = f"{self._root}/{STAGING}/{uuid.uuid4().hex}"
        self._fs.makedirs(f"{self._root}/{STAGING}", exist_ok=True)
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
                if path.split("/")[0] != STAGING:
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
