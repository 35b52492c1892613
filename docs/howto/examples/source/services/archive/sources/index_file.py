"""A list of paths, one on each line of a text file, as a source: ``index:/data/files.txt``."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.archive.sources.base import CHUNK, Listing, Source, SourceFile
from services.archive.sources.streams import SourceStream
from shared.cos.names import parse_name
from shared.errors import PermanentError, TransientError
from shared.urls import file_url, path_of

__all__ = ["SCHEMES", "IndexFile"]

_PAGE = 1000
"""Paths that are looked at before they are handed on."""


class IndexFile(Source):
    """Files that a list names.

    Parameters
    ----------
    url
        Address of the list.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._list = Path(url.partition(":")[2])

    def pages(self) -> Iterator[Listing]:
        """List the files, page by page.

        Raises
        ------
        TransientError
            If the list cannot be read.
        """
        try:
            paths = sorted(map(Path, self._list.read_text().splitlines()))
        except OSError as error:
            raise TransientError(f"the list {self._list} cannot be read: {error}") from error
        for first in range(0, len(paths), _PAGE):
            page = Listing()
            for path in paths[first : first + _PAGE]:
                self._add(page, path)
            yield page

    def _add(self, page: Listing, path: Path) -> None:
        url = file_url(path)
        try:
            name, status = parse_name(path.name), path.stat()
        except PermanentError:
            page.others.append(url)
        except OSError as error:
            page.unreadable[url] = str(error)
        else:
            identity = f"{status.st_size} {status.st_mtime_ns}"
            page.files.append(
                SourceFile(url, name.name, name.stem, status.st_size, identity, status.st_mtime)
            )

    @contextmanager
    def open(self, file: SourceFile, start: int = 0) -> "Iterator[io.BufferedReader[Any]]":
        """Open a file for reading from a byte on to its end.

        Raises
        ------
        TransientError
            If it cannot be read (any more), here or within the block.
        """
        path = path_of(file.url)
        try:
            opened = open(path or file.url, "rb")  # noqa: PTH123, SIM115 - closed by its stream
            opened.seek(start)
        except OSError as error:
            raise TransientError(f"{file.url} cannot be read: {error}") from error
        with io.BufferedReader(SourceStream(opened, file.url), CHUNK) as stream:
            yield stream


SCHEMES = {"index": IndexFile}
