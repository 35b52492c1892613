"""A folder, on disk or behind any fsspec URL, as a source."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec

from shared.cos.names import stem_of
from shared.errors import TransientError

__all__ = ["DirectorySource", "SourceFile"]

_CHUNK = 1 << 20
_VERSION_KEYS = ("ETag", "etag", "md5", "mtime", "LastModified", "last_modified", "created")
"""What file systems call the thing that changes with a file; the first one that is there is used."""


@dataclass(frozen=True)
class SourceFile:
    """A FITS file of a source: its URL, name, stem (name up to ``.fits``), size in bytes, and identity."""

    url: str
    name: str
    stem: str
    size: int
    identity: str

    @classmethod
    def from_entry(cls, entry: dict[str, Any]) -> "SourceFile":
        """File as a job's payload has it."""
        return cls(entry["url"], entry["name"], entry["stem"], entry["size"], entry["identity"])


class DirectorySource:
    """Every FITS file below a folder.

    Parameters
    ----------
    url
        Local path or fsspec URL.
    """

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self.url = str(self._fs.unstrip_protocol(self._root))

    def list(self) -> list[SourceFile]:
        """FITS files of the source, by stem; of plain and gzipped twins the plain one.

        Raises
        ------
        TransientError
            If the source cannot be read.
        """
        try:
            if not self._fs.isdir(self._root):
                raise TransientError(f"the source {self.url} is not a folder that can be read; check its address")
            self._fs.invalidate_cache()
            found = self._fs.find(self._root, detail=True)
        except OSError as error:
            raise TransientError(f"the source {self.url} cannot be listed: {error}") from error
        files: dict[str, SourceFile] = {}
        for path, details in sorted(found.items(), key=lambda item: (str(item[0]).endswith(".gz"), str(item[0]))):
            name = str(path).rsplit("/", 1)[-1]
            stem = stem_of(name)
            if stem is not None and not name.startswith(".") and stem not in files:
                files[stem] = SourceFile(
                    str(self._fs.unstrip_protocol(path)), name, stem, int(details["size"]), _identity(name, details)
                )
        return sorted(files.values(), key=lambda file: file.stem)

    @contextmanager
    def open(self, file: SourceFile) -> Iterator[IO[bytes]]:
        """Open a file for reading.

        Raises
        ------
        TransientError
            If it cannot be read (any more).
        """
        try:
            with fsspec.open(file.url, "rb") as stream:
                yield stream
        except OSError as error:
            raise TransientError(f"{file.url} cannot be read: {error}; it is tried again") from error

    def copy_to(self, file: SourceFile, target: Path) -> tuple[str, int]:
        """Copy a file to a local path; returns SHA-256 and size of what was copied.

        Raises
        ------
        TransientError
            If it cannot be read, or changed its size since the scan (it is still being written).
        """
        digest, size = hashlib.sha256(), 0
        with self.open(file) as stream, target.open("wb") as out:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                out.write(chunk)
        if size != file.size:
            raise TransientError(f"{file.name} has {size} bytes where the scan saw {file.size}: it is still changing")
        return digest.hexdigest(), size


def _identity(name: str, details: dict[str, Any]) -> str:
    version = next((details[key] for key in _VERSION_KEYS if details.get(key)), "")
    return hashlib.sha256(f"{name} {details['size']} {version}".encode()).hexdigest()[:32]
