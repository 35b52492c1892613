"""All remote archives together, as the one source of the datasets that they list."""

import io
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.archive.catalogues.base import ARCHIVE, Access, ArchiveFile, Catalogue
from services.archive.downloads import Downloader, RemoteFile, StoppedError
from services.archive.downloads.errors import FailedFileError, OtherContentError
from services.archive.sources.base import CHUNK, FileSource, SourceFile
from shared.cos.names import parse_name
from shared.errors import AbsentSourceError, OutageError, PermanentError, TransientError
from shared.fits import check_fits
from shared.logs import get_logger
from shared.masking import mask_passwords

__all__ = ["ArchiveSource"]


class ArchiveSource(FileSource):
    """Files of remote archives; each comes from the first archive that hands it out.

    For one fetch, or the reading of some files: an archive from which nothing came but failures is
    not asked for further files. That it fails with one file (500) says nothing of others; that it
    fails with two does.

    Parameters
    ----------
    catalogues
        Archives that may be asked, the one to ask first first.
    downloader
        Gets the files; it keeps them until they are discarded.

    Attributes
    ----------
    failed
        By the name of the archive, what it failed with.
    answered
        Names of the archives from which a file came.
    """

    url = ARCHIVE

    def __init__(self, catalogues: Sequence[Catalogue], downloader: Downloader) -> None:
        self._catalogues = catalogues
        self._downloader = downloader
        self.readers = downloader.connections
        self._stop = threading.Event()
        self.failed: dict[str, TransientError] = {}
        self._failing_files: defaultdict[str, set[str]] = defaultdict(set)
        self.answered: set[str] = set()

    def remotes(self, file: SourceFile) -> list[RemoteFile]:
        """Return where a file can be downloaded, the archive to ask first first."""
        return [self._remote(catalogue, file) for catalogue in self._catalogues]

    def stop(self) -> None:
        """Give up what is being read; what has come of a download is kept."""
        self._stop.set()

    @property
    def may_be_asked(self) -> bool:
        """Whether there is an archive that may be asked."""
        return bool(self._catalogues)

    @contextmanager
    def open(self, file: SourceFile, start: int = 0) -> "Iterator[io.BufferedReader[Any]]":
        """Open a file for reading from a byte on to its end; it is downloaded for that.

        Raises
        ------
        PermanentError
            If no archive will hand it out whole.
        TransientError
            If an archive fails.
        """
        with (
            self.local(file, Path(), self._downloader, check_fits, self._stop) as path,
            path.open("rb", buffering=0) as raw,
        ):
            raw.seek(start)
            yield io.BufferedReader(raw, CHUNK)

    @contextmanager
    def local(
        self,
        file: SourceFile,
        scratch: Path,  # noqa: ARG002 - of the sources that do not download
        downloader: Downloader,
        check: Callable[[Path], object],
        stop: threading.Event,
    ) -> Iterator[Path]:
        """Give a local copy of a file that was checked, of the first archive that has it.

        Raises
        ------
        PermanentError
            If no archive will hand it out whole.
        TransientError
            If an archive fails that may have it.
        AbsentSourceError
            If none may be asked.
        """
        with ExitStack() as stack:
            yield self._first(file, downloader, check, stop, stack)

    def _first(
        self,
        file: SourceFile,
        downloader: Downloader,
        check: Callable[[Path], object],
        stop: threading.Event,
        stack: ExitStack,
    ) -> Path:
        if not self._catalogues:
            raise AbsentSourceError(
                "no remote archive answers; they are asked again after a while", ARCHIVE
            )
        refused: list[PermanentError] = []
        others: list[TransientError] = []
        for catalogue in self._catalogues:
            if catalogue.name in self.failed and catalogue.name not in self.answered:
                continue
            remote = self._remote(catalogue, file)
            try:
                path = stack.enter_context(downloader.downloaded(remote, check, stop))
            except (OutageError, StoppedError):
                raise
            except PermanentError as error:
                refused.append(error)
                _log(file, catalogue, error)
            except OtherContentError as error:
                others.append(error)
                _log(file, catalogue, error)
            except FailedFileError as error:
                others.append(error)
                _log(file, catalogue, error)
                self._failing_files[catalogue.name].add(file.url)
                if len(self._failing_files[catalogue.name]) > 1:
                    self.failed[catalogue.name] = error
            except TransientError as error:
                self.failed[catalogue.name] = error
                _log(file, catalogue, error)
            else:
                self.answered.add(catalogue.name)
                return path
        if len(refused) == len(self._catalogues):
            raise PermanentError("; ".join(map(str, refused)))
        reasons = map(str, [*refused, *others, *self.failed.values()])
        raise TransientError("; ".join(reasons))

    def _remote(self, catalogue: Catalogue, file: SourceFile) -> RemoteFile:
        dataset = parse_name(file.name).rootname
        listed = ArchiveFile(
            dataset,
            file.url,
            file.name,
            file.size or None,
            file.md5,
            file.identity,
            Access.PUBLIC,  # no other is fetched
        )
        return replace(catalogue.remote(listed), identity=file.identity)


def _log(file: SourceFile, catalogue: Catalogue, error: Exception) -> None:
    get_logger().warning(
        "not to be had from this archive",
        file=file.name,
        catalogue=catalogue.name,
        reason=mask_passwords(str(error)),
    )
