"""The files of a dataset, and what is read from them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import IO

from services.ingestor.extractors import References, Rows, Source, extract
from shared.database.models.science import SCIENCE_TABLES
from shared.errors import PermanentError
from shared.fits import FitsFile, Header
from shared.store import Store

__all__ = ["DatasetFile", "DatasetReader", "FileContent", "check_readable"]

_MOST_PROBLEMS = 20
"""Problems of one file that are kept; of hundreds nobody reads more."""


@dataclass(frozen=True)
class DatasetFile:
    """A file of a dataset, as the table of files has it."""

    id: int
    path: str
    name: str
    rootname: str | None
    suffix: str


@dataclass(frozen=True)
class FileContent:
    """Rows that were read from a file, and what was wrong with it.

    Each problem cost rows or columns.
    """

    rows: list[Rows]
    problems: list[str]


def check_readable(contents: Collection[FileContent]) -> None:
    """Refuse files of which nothing could be read.

    Raises
    ------
    PermanentError
        If there are problems and no row.
    """
    problems = [problem for content in contents for problem in content.problems]
    if problems and not any(len(rows) for content in contents for rows in content.rows):
        raise PermanentError("; ".join(problems))


class DatasetReader:
    """Reads rows from the files of one dataset, each file's headers at most once.

    Parameters
    ----------
    store
        Where the files are.
    files
        Files of the dataset, those too that are only asked for headers; the first of a kind counts.
    references
        Reference files.
    headers
        Headers that are known already, by key of the file.
    """

    def __init__(
        self,
        store: Store,
        files: Sequence[DatasetFile],
        references: References,
        headers: Mapping[int, Sequence[Header]] | None = None,
    ) -> None:
        self._store = store
        self._files = files
        self._references = references
        self._headers = headers or {}
        self._open: dict[int, FitsFile] = {}

    def read(self, file: DatasetFile, tables: Collection[str] = SCIENCE_TABLES) -> FileContent:
        """Return the rows of a file; what cannot be read of it is said, and costs nothing else.

        Parameters
        ----------
        file
            File.
        tables
            Tables whose rows are wanted.

        Raises
        ------
        TransientError
            If the store does not hand the file out.
        """
        source = Source(
            file=self._fits(file),
            opener=self._opener(file),
            rootname=file.rootname or "",
            suffix=file.suffix,
            companions=self._companions,
            references=self._references,
        )
        rows = extract(source, tables)
        left = len(source.problems) - _MOST_PROBLEMS
        more = [f"{file.name}: {left} problems more"] if left > 0 else []
        return FileContent(rows, [*source.problems[:_MOST_PROBLEMS], *more])

    def _fits(self, file: DatasetFile) -> FitsFile:
        if file.id not in self._open:
            self._open[file.id] = FitsFile(
                self._opener(file), file.name, self._headers.get(file.id)
            )
        return self._open[file.id]

    def _opener(self, file: DatasetFile) -> Callable[[], AbstractContextManager[IO[bytes]]]:
        return partial(self._store.open, f"{file.path}/{file.name}")

    def _companions(self, root: str, kind: str) -> Sequence[Header] | None:
        for file in self._files:
            if (file.rootname or "").startswith(root) and file.suffix.startswith(kind):
                try:
                    return self._fits(file).headers
                except PermanentError:  # its own ingest says so
                    continue
        return None
