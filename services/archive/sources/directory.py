"""A folder, on disk or behind any fsspec URL, as a source."""

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from services.archive.sources.base import CHUNK, Listing, Source, SourceFile
from services.archive.sources.streams import SourceStream
from shared.cos.names import FileName, parse_name
from shared.errors import PermanentError, TransientError
from shared.settings.archive import CATALOGUES
from shared.urls import file_url, path_of

__all__ = ["SCHEMES", "DirectorySource"]

_VERSION_KEYS = (
    "ETag",
    "etag",
    "md5",
    "mtime",
    "LastModified",
    "Last-Modified",
    "last_modified",
    "modified",
    "modify",
    "CRC",
    "sha",
    "created",
)
"""What file systems call the thing that changes with a file.

The first one that is there is used.
"""

_TIME_KEYS = (
    "mtime",
    "LastModified",
    "Last-Modified",
    "last_modified",
    "modified",
    "modify",
    "date_time",
    "created",
)
"""What they call the time of the last change: a number, a time, its parts, or as HTTP writes it."""


_PAGE = 5000
"""Files that are listed at once."""


_Details = Callable[[], Mapping[str, Any]]


class DirectorySource(Source):
    """Every file of COS below a folder, hidden ones and those in hidden folders aside.

    Parameters
    ----------
    url
        Local path or fsspec URL; chained ones (``zip://::/data/visit.zip``) too.

    Raises
    ------
    PermanentError
        If nothing can read such a URL.
    """

    def __init__(self, url: str) -> None:
        _, sign, rest = url.partition("::")
        self._chain = sign + rest
        self._url = url
        self._connect()
        self.url = self._full(self._root)

    def pages(self) -> Iterator[Listing]:
        """List all that the folder holds, in pages.

        Symbolic links are followed; one that leads nowhere is no file.

        Raises
        ------
        TransientError
            If the source itself cannot be read.
        """
        self._connect()
        page = Listing()
        for path, details in self._walk(page.unreadable):
            try:
                name = parse_name(path.rsplit("/", 1)[-1])
            except PermanentError:
                page.others.append(self._full(path))
                continue
            try:
                page.files.append(self._file(path, name, details))
            except Exception as error:  # noqa: BLE001 - every file system has its own errors
                page.unreadable[self._full(path)] = _reason(error)
            if len(page.files) >= _PAGE:
                yield Listing(page.files[:], page.others[:])
                page.files.clear()
                page.others.clear()
        yield page

    def _file(self, path: str, name: FileName, details: Mapping[str, Any]) -> SourceFile:
        if details.get("size") is None:
            details = self._fs.info(path)
        if details.get("size") is None:
            raise ValueError("the server does not report its size")
        size = int(details["size"])
        version = next((details[key] for key in _VERSION_KEYS if details.get(key)), "")
        identity = _hashed(f"{path.rsplit('/', 1)[-1]} {size} {version}")
        return SourceFile(
            self._full(path), name.name, name.stem, size, identity, _modified(details)
        )

    def address(self, file: SourceFile) -> str | None:
        """Return the address of a file of a web server; None of other folders."""
        return file.url if _is_http(file.url) else None

    @contextmanager
    def open(self, file: SourceFile, start: int = 0) -> "Iterator[io.BufferedReader[Any]]":
        """Open a file for reading from a byte on to its end.

        Raises
        ------
        TransientError
            If it cannot be read (any more), here or within the block.
        """
        try:
            path = path_of(file.url) or self._fs._strip_protocol(file.url.partition("::")[0])
            opened = self._open_at(path, start, _is_http(file.url))
        except Exception as error:
            raise TransientError(
                f"{file.url} cannot be read: {_reason(error)}; it is tried again"
            ) from error
        with io.BufferedReader(SourceStream(opened, file.url), CHUNK) as stream:
            yield stream

    def _open_at(self, path: object, start: int, over_http: bool) -> IO[bytes]:
        """Open a file at a byte; what HTTP servers that know no ranges send before it is read."""
        # Block size 0 makes one request of it over HTTP, where servers need not know ranges.
        options: dict[str, Any] = {"block_size": 0} if over_http else {}
        if over_http and start:
            options["headers"] = {"Range": f"bytes={start}-"}
        opened: Any = self._fs.open(path, "rb", **options)
        if not over_http:
            opened.seek(start)
        elif start and opened.r.status != HTTPStatus.PARTIAL_CONTENT:
            while start and (skipped := opened.read(min(start, CHUNK))):
                start -= len(skipped)
        return cast("IO[bytes]", opened)

    def _connect(self) -> None:
        """Look afresh: file systems such as zip's hold what they saw at first."""
        try:
            path = path_of(self._url)
            self._fs, root = (LocalFileSystem(), path) if path else fsspec.core.url_to_fs(self._url)
            self._fs.invalidate_cache()
        except (ValueError, ImportError) as error:
            raise PermanentError(
                f"the source {self._url} cannot be used: {error}; give a folder, or a URL that "
                "fsspec knows (file, s3, http, https, ftp, zip and more; others such as gs once "
                "their package is installed)"
            ) from error
        except Exception as error:
            raise TransientError(
                f"the source {self._url} cannot be read: {_reason(error)}; check its address"
            ) from error
        self._root = str(root)

    @property
    def _hint(self) -> str:
        """What else one word may have been meant as."""
        one_word = self._url.isidentifier()
        return f"; remote archives are called {', '.join(CATALOGUES)}" if one_word else ""

    @property
    def _is_local(self) -> bool:
        return isinstance(self._fs, LocalFileSystem)

    def _real(self, path: str) -> str:
        return os.path.realpath(path) if self._is_local else path

    def _full(self, path: str) -> str:
        if self._is_local:
            return file_url(Path(path))
        return f"{self._fs.unstrip_protocol(path)}{self._chain}"

    def _walk(self, unreadable: dict[str, str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the files below the root.

        ``fs.find`` would leave out in silence what it cannot read.
        """
        pending, seen = [self._root], {self._real(self._root)}
        while pending:
            folder = pending.pop()
            for details in self._entries(folder, unreadable):
                path = str(details["name"]).rstrip("/")
                if details["type"] != "directory":
                    yield path, details
                # A link may lead back to where it is.
                elif (real := self._real(path)) not in seen:
                    seen.add(real)
                    pending.append(str(details["name"]))

    def _entries(self, folder: str, unreadable: dict[str, str]) -> Sequence[Mapping[str, Any]]:
        """Return the entries of a folder, links resolved."""
        try:
            entries = self._scanned(folder) if self._is_local else self._listed(folder)
            found = sorted(entries, key=lambda entry: entry[0])
        except Exception as error:
            if folder == self._root:
                raise TransientError(
                    f"the source {self.url} is not a folder that can be read: {_reason(error)}; "
                    f"check its address{self._hint}"
                ) from error
            if not isinstance(error, FileNotFoundError):
                unreadable[self._full(folder)] = _reason(error)
            return []
        result = []
        for path, details in found:
            try:
                result.append(details())
            except FileNotFoundError:
                continue
            except OSError as error:
                unreadable[self._full(path)] = _reason(error)
        return result

    def _listed(self, folder: str) -> Iterator[tuple[str, _Details]]:
        """Yield the path of each entry of a folder with what reads its details."""
        start = folder.rstrip("/")
        entries = self._fs.ls(folder, detail=True)
        if folder == self._root and any(
            str(entry["name"]).rstrip("/") == start != "" for entry in entries
        ):
            raise NotADirectoryError("it is a file")
        for entry in entries:
            path = str(entry["name"])
            inside = not start or path.startswith(f"{start}/")
            if inside and not path.rstrip("/").rsplit("/", 1)[-1].startswith("."):
                yield path, partial(self._fs.info, path) if entry.get("islink") else entry.copy

    def _scanned(self, folder: str) -> Iterator[tuple[str, _Details]]:
        """Do as `_listed` for a local folder, in a system call for each file."""
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    yield entry.path, partial(_status, entry)


def _status(entry: os.DirEntry[str]) -> dict[str, Any]:
    """Return what fsspec has for the details of a local file, links followed."""
    found = entry.stat()
    return {
        "name": entry.path,
        "type": "directory" if stat.S_ISDIR(found.st_mode) else "file",
        "size": found.st_size,
        "mtime": found.st_mtime,
        "created": found.st_ctime,
    }


def _is_http(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _modified(details: Mapping[str, Any]) -> float | None:
    """Return the Unix time of the last change, in whichever way a file system says it."""
    found = next((details[key] for key in _TIME_KEYS if details.get(key)), None)
    try:
        match found:
            case int() | float():
                return float(found)
            case datetime():
                return found.timestamp()
            case (year, month, day, hour, minute, second):
                return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
            case str():
                return parsedate_to_datetime(found).timestamp()
    except (ValueError, TypeError):
        pass
    return None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


SCHEMES = {"file": DirectorySource}
