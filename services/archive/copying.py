"""Copying: a dataset's files from the source into the store, each one checked first."""

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.archive.downloads import Downloader, StoppedError
from services.archive.sources import FileSource, SourceFile
from shared.archived import ArchivedProduct, read_product
from shared.cos.names import JITTER, is_product, parse_name
from shared.errors import PermanentError
from shared.fits import check_fits
from shared.store import Store, StoredFile, sha256_of

__all__ = ["CopiedFile", "CopiedFiles", "DatasetCopy", "raw_folder"]


@dataclass(frozen=True)
class CopiedFile:
    """A file of the dataset that is in the store now."""

    url: str
    identity: str
    stored: StoredFile
    product: ArchivedProduct | None = None


@dataclass(frozen=True)
class CopiedFiles:
    """Files that are in the store now, and of each damaged product its name and the reason."""

    files: list[CopiedFile] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)


def raw_folder(rootname: str) -> str:
    """Return the folder in the store for the raw files of a dataset."""
    return f"raw/{rootname}"


def _check(path: Path) -> None:
    """Refuse what is not whole, of the files that must be.

    Raises
    ------
    PermanentError
        If it is damaged.
    """
    if (
        path.name.lower().endswith((".fits", ".fits.gz"))
        and parse_name(path.name).suffix not in JITTER
    ):
        check_fits(path)


class DatasetCopy:
    """Copies the files of one dataset, several at once where they come over HTTP.

    Parameters
    ----------
    source
        Where they are.
    store
        Where they go.
    downloader
        Gets files over HTTP.
    rootname
        Rootname of the dataset.
    """

    def __init__(
        self, source: FileSource, store: Store, downloader: Downloader, rootname: str
    ) -> None:
        self._source = source
        self._store = store
        self._downloader = downloader
        self._rootname = rootname
        self._stop = threading.Event()

    def stop(self) -> None:
        """Give up what is being copied; what has come of a download is kept."""
        self._stop.set()

    def copy(
        self,
        listed: Sequence[Mapping[str, Any]],
        have: Mapping[tuple[str, str | None], StoredFile],
    ) -> CopiedFiles:
        """Copy what is not in the store yet; a damaged product costs itself only.

        Parameters
        ----------
        listed
            Files as a job's payload has them.
        have
            Files that are in the store, by stem and identity in the source.

        Raises
        ------
        PermanentError
            If a file that CalCOS reads is damaged, or the source will never hand it out.
        TransientError
            If the source or the store fails.
        """
        files = [SourceFile.from_entry(dict(entry)) for entry in listed]
        remote = [one for file in files for one in self._source.remotes(file)]
        result = CopiedFiles()
        with (
            tempfile.TemporaryDirectory(prefix="cosmo-fetch-") as scratch,
            ThreadPoolExecutor(self._downloader.connections if remote else 1) as threads,
        ):
            copies = [
                threads.submit(self._copy, file, have, Path(scratch), result.damaged)
                for file in files
            ]
            try:
                _raise_first(copies)
            finally:
                self._stop.set()
        result.files.extend(copied for copy in copies if (copied := copy.result()) is not None)
        # Not before all have come: a kill in between costs none of them.
        for file in remote:
            self._downloader.discard(file)
        return result

    def _copy(
        self,
        file: SourceFile,
        have: Mapping[tuple[str, str | None], StoredFile],
        scratch: Path,
        damaged: dict[str, str],
    ) -> CopiedFile | None:
        """Copy a file; None of a damaged product."""
        if is_product(parse_name(file.name)):
            try:
                with self._local(file, scratch) as path:
                    stored = self._publish(path, f"archive/{self._rootname}")
                    product = read_product(path, stored)
            except PermanentError as error:
                damaged[file.name] = str(error)
                return None
            return CopiedFile(file.url, file.identity, product.stored, product)
        found = have.get((file.stem, file.identity))
        if found is None:
            with self._local(file, scratch) as path:
                found = self._publish(path, raw_folder(self._rootname))
        return CopiedFile(file.url, file.identity, found)

    def _publish(self, path: Path, parent: str) -> StoredFile:
        sha256 = sha256_of(path)
        return self._store.publish(path, f"{parent}/{sha256[:12]}", sha256)

    @contextmanager
    def _local(self, file: SourceFile, scratch: Path) -> Iterator[Path]:
        """Give a local copy that was checked."""
        if self._stop.is_set():
            raise StoppedError
        with self._source.local(file, scratch, self._downloader, _check, self._stop) as path:
            yield path


def _raise_first(copies: Sequence["Future[CopiedFile | None]"]) -> None:
    """Wait until all are copied, or one cannot be, and raise its error."""
    done, _ = wait(copies, return_when=FIRST_EXCEPTION)
    errors = [error for copy in done if (error := copy.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, StoppedError)):
        raise error
