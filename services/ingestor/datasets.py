"""The files of a dataset, and what is read from them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import IO

from services.ingestor.extractors import HEADER_PREFERENCE, References, Rows, Source, extract
from shared.database.models.science import SCIENCE_TABLES
from shared.errors import PermanentError
from shared.fits import FitsFile, Header
from shared.store import Store

__all__ = ["DatasetFile", "DatasetReader", "preferred_files"]


@dataclass(frozen=True)
class DatasetFile:
    """A file of a dataset, as the table of files has it; ``shown`` if its rows are those that readers see."""

    id: int
    path: str
    name: str
    rootname: str | None
    suffix: str
    shown: bool


def preferred_files(files: Sequence[DatasetFile]) -> set[int]:
    """Keys of the files whose headers readers see: of those that are shown, the best one of each rootname."""
    best: dict[str, tuple[int, int]] = {}
    for file in files:
        if file.shown and file.rootname is not None and file.suffix in HEADER_PREFERENCE:
            rank = (HEADER_PREFERENCE.index(file.suffix), file.id)
            best[file.rootname] = min(rank, best.get(file.rootname, rank))
    return {file_id for _, file_id in best.values()}


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

    def rows(self, file: DatasetFile, tables: Collection[str] = SCIENCE_TABLES) -> list[Rows]:
        """Rows of a file.

        Raises
        ------
        PermanentError
            If the file cannot be read, or a table, column or keyword is missing or wrong; the message names it.
        """
        source = Source(
            file=self._fits(file),
            opener=self._opener(file),
            rootname=file.rootname or "",
            suffix=file.suffix,
            companions=self._companions,
            references=self._references,
        )
        return extract(source, tables)

    def _fits(self, file: DatasetFile) -> FitsFile:
        if file.id not in self._open:
            self._open[file.id] = FitsFile(self._opener(file), file.name, self._headers.get(file.id))
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
