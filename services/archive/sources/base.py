"""Protocol of a source of data: what it lists, and how its files are read."""

import hashlib
import io
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from services.archive.downloads import Downloader, RemoteFile
from shared.errors import TransientError
from shared.outages import refusal

__all__ = ["CHUNK", "FileSource", "Listing", "Source", "SourceFile"]

CHUNK = 1 << 20
"""Bytes that are read at once."""


@dataclass(frozen=True)
class SourceFile:
    """A file of a source.

    Attributes
    ----------
    url
        Where it is, under the name that it has there.
    name, stem
        Canonical name, whole and up to ``.fits`` (`shared.cos.names`).
    size
        Size in bytes.
    identity
        Changes when the file does.
    modified
        When it was last changed (Unix time, second); None where the source does not report it.
    md5
        MD5 that the source lists, hexadecimal; empty where it lists none.
    """

    url: str
    name: str
    stem: str
    size: int
    identity: str
    modified: float | None = None
    md5: str = ""

    @classmethod
    def from_entry(cls, entry: dict[str, Any]) -> "SourceFile":
        """Return the file as a job's payload has it."""
        return cls(
            entry["url"],
            entry["name"],
            entry["stem"],
            entry["size"],
            entry["identity"],
            md5=entry.get("md5", ""),
        )


@dataclass(frozen=True)
class Listing:
    """What a source holds.

    Attributes
    ----------
    files
        Files of COS by their names, every version of each, in the order of stem and URL.
    others
        URLs of files with other names.
    unreadable
        URL of each folder or file below the source that could not be read, and why.
    """

    files: list[SourceFile] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


class FileSource(Protocol):
    """A place that hands files out.

    Attributes
    ----------
    url
        Its address, which rows of its files name.
    readers
        Files of which headers are read at once.
    """

    url: str
    readers: int = 1

    @abstractmethod
    def open(
        self, file: SourceFile, start: int = 0
    ) -> "AbstractContextManager[io.BufferedReader[Any]]":
        """Open a file for reading from a byte on to its end.

        Parameters
        ----------
        file
            File of a listing.
        start
            First byte.

        Raises
        ------
        TransientError
            If it cannot be read (any more), here or within the block.
        """

    def address(self, file: SourceFile) -> str | None:  # noqa: ARG002 - of the sources that have any
        """Return the HTTP address from which a file can be downloaded; None where there is none,
        and only `open` reads it.
        """
        return None

    def remotes(self, file: SourceFile) -> list[RemoteFile]:
        """Return what can be downloaded of a file, the address to ask first first.

        Empty where only `open` reads it.
        """
        address = self.address(file)
        name = file.name
        return [] if address is None else [RemoteFile(address, name, file.identity, file.md5)]

    @contextmanager
    def local(
        self,
        file: SourceFile,
        scratch: Path,
        downloader: Downloader,
        check: Callable[[Path], object],
        stop: threading.Event,
    ) -> Iterator[Path]:
        """Give a local copy of a file that was checked, for the length of the block.

        Parameters
        ----------
        file
            The file.
        scratch
            Folder for a copy of what is not downloaded.
        downloader
            Gets what is; it keeps that until it is discarded.
        check
            Raises PermanentError where the content is damaged.
        stop
            Set when the copy is no longer wanted.

        Raises
        ------
        PermanentError
            If it is damaged, or the source will never hand it out.
        TransientError
            If the source fails.
        """
        if remotes := self.remotes(file):
            with downloader.downloaded(remotes[0], check, stop) as path:
                yield path
            return
        path = scratch / file.name
        try:
            self.copy_to(file, path)
            check(path)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def copy_to(self, file: SourceFile, target: Path) -> tuple[str, int]:
        """Copy a file to a local path; returns SHA-256 and size of what was copied.

        Raises
        ------
        TransientError
            If it cannot be read or written, or changed its size since the scan (it is still being
            written).
        """
        digest, size = hashlib.sha256(), 0
        with self.open(file) as stream:
            try:
                with target.open("wb") as out:
                    while chunk := stream.read(CHUNK):
                        digest.update(chunk)
                        size += len(chunk)
                        out.write(chunk)
            except OSError as error:
                raise refusal(
                    error,
                    f"the scratch folder {target.parent} did not take {file.name}: {error}; free "
                    "space there, or let "
                    "TMPDIR name another folder",
                ) from error
        if size != file.size:
            raise TransientError(
                f"{file.name} has {size} bytes where the scan saw {file.size}: it is still changing"
            )
        return digest.hexdigest(), size


class Source(FileSource, Protocol):
    """A place that lists the files that it hands out.

    A new one is a class in a module of this package that derives from it, with a ``SCHEMES`` that
    names the scheme of its addresses. Its constructor takes the address, which its ``url`` opens
    again; `pages` and `open` are its own, the rest follows from them.
    """

    def __init__(self, url: str, /) -> None: ...

    @abstractmethod
    def pages(self) -> Iterator[Listing]:
        """List what it holds now, page by page, in any order.

        A file is listed once, of every name as many versions as there are.

        Raises
        ------
        TransientError
            If it cannot be listed.
        """

    def list(self) -> Listing:
        """List all that it holds now, files of COS in the order of their stems.

        Raises
        ------
        TransientError
            If it cannot be listed.
        """
        whole = Listing()
        for page in self.pages():
            whole.files.extend(page.files)
            whole.others.extend(page.others)
            whole.unreadable.update(page.unreadable)
        whole.files.sort(key=lambda file: (file.stem, file.url))
        return whole
