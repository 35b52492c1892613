"""Protocol of a source of data: what it lists, and how its files are read."""

import hashlib
import io
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from shared.errors import TransientError
from shared.outages import refusal

__all__ = ["CHUNK", "Listing", "Source", "SourceFile"]

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
    """

    url: str
    name: str
    stem: str
    size: int
    identity: str
    modified: float | None = None

    @classmethod
    def from_entry(cls, entry: dict[str, Any]) -> "SourceFile":
        """Return the file as a job's payload has it."""
        return cls(entry["url"], entry["name"], entry["stem"], entry["size"], entry["identity"])


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


class Source(Protocol):
    """A place that lists files and hands them out.

    A new one is a class in a module of this package that derives from it, with a ``SCHEMES`` that
    names the scheme of its addresses. Its constructor takes the address; `pages` and `open` are
    its own, the rest follows from them.

    Attributes
    ----------
    url
        Its address, which opens it again.
    """

    url: str

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
