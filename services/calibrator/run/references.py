"""The folder of reference files: each one found, unpacked once, and checked before a run.

CalCOS reports a missing or wrong reference with an empty message, or half a run later.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from services.calibrator.run.crds import best_references
from services.calibrator.run.gzip import unpack
from services.calibrator.run.headers import Exposure
from shared.cos.reference_names import FoundReference, locate_reference, reference_folders
from shared.cos.references import check_reference, needed_references
from shared.errors import PermanentError
from shared.fits import check_fits
from shared.remote_references import RemoteReferences
from shared.store import sha256_of

__all__ = ["Reference", "ReferenceFolder"]

_THREADS = 2
"""Files unpacked and checked at once, outside the interpreter lock: CalCOS does not run yet."""


def _needed(exposure: Exposure) -> dict[str, str]:
    try:
        return needed_references(exposure.header)
    except PermanentError as error:
        raise PermanentError(f"{exposure.path.name}: {error}") from error


@dataclass(frozen=True)
class Reference:
    """A reference file that a run uses.

    Attributes
    ----------
    keyword
        Keyword that names it.
    name
        Name that it has for the run, without a folder.
    sha256
        Checksum of the plain file.
    value
        What the header says, as text of a `ReferenceName`.
    warning
        What to know of where it was found; empty for nothing.
    """

    keyword: str
    name: str
    sha256: str
    value: str
    warning: str = ""


class ReferenceFolder:
    """Reference files in a folder, plain or gzipped; gzipped ones are unpacked once.

    Parameters
    ----------
    folder
        Folder with the files; None where none is set.
    cache
        Folder that unpacked files live in.
    calcos_version
        CalCOS that will read the files; those made for a later one are refused.
    crds
        Cache of CRDS: contexts, and files that the folder has not; None where there is none.
    source
        URL or path of the raw files' source, where a header may name files as well; None for none.
    files
        Plain files that go before those of the folder, by name.
    """

    def __init__(
        self,
        folder: Path | RemoteReferences | None,
        cache: Path,
        calcos_version: str,
        crds: Path | None = None,
        source: str | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        self._folder = folder.absolute() if isinstance(folder, Path) else folder
        self._crds = crds
        self._source = source
        self._files = dict(files or {})
        self._cache = cache.resolve()
        self._calcos_version = calcos_version
        self._checksums: dict[tuple[str, int, int], str] = {}

    def for_run(self, source: str | None, files: Mapping[str, Path]) -> "ReferenceFolder":
        """Add the source of a run's raw files, and plain files that go before all others.

        Files behind a URL are looked up again, since a job may be there because one changed.
        """
        if isinstance(self._folder, RemoteReferences):
            self._folder.refresh()
        other = ReferenceFolder(
            self._folder, self._cache, self._calcos_version, self._crds, source, files
        )
        other._checksums = self._checksums  # what was read once is known to both
        return other

    def best(self, context: str, exposure: Exposure) -> Mapping[str, str]:
        """Return the names of the best references of an exposure by a context of CRDS, by keyword.

        See `best_references`.
        """
        return best_references(self._crds, context, exposure)

    def resolve(self, exposures: Iterable[Exposure]) -> list[Reference]:
        """Find, unpack and check every reference file that a run opens.

        Parameters
        ----------
        exposures
            Raw files.

        Raises
        ------
        PermanentError
            If a file is missing, damaged, of another type or for another CalCOS; the message names
            the keyword and the file.
        TransientError
            If the disk of the cache is full.
        """
        wanted: dict[tuple[str, str], str] = {}
        for exposure in exposures:
            for keyword, name in _needed(exposure).items():
                wanted.setdefault((keyword, name), f"{keyword} of {exposure.path.name}")
        needed = [(keyword, name, where) for (keyword, name), where in sorted(wanted.items())]
        with ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(lambda item: self._reference(*item), needed))

    def link(self, references: Iterable[Reference], folder: Path) -> None:
        """Give a run its own references, which stay what they are when the cache is renewed in the
        middle of it.

        Parameters
        ----------
        references
            What `resolve` found.
        folder
            New folder for ``lref`` to point to.
        """
        folder.mkdir()
        values: dict[str, str] = {}
        for reference in references:
            if values.setdefault(reference.name, reference.value) == reference.value:
                continue
            first, second = values[reference.name], reference.value
            if self._plain(first) != self._plain(second):
                raise PermanentError(
                    f"{first} and {second} are two reference files of one name; rename one of them"
                )
        for name, value in values.items():
            path = self._plain(value)
            try:
                (folder / name).hardlink_to(path)
            except OSError:  # another disk, or one without hard links
                (folder / name).symlink_to(path)

    def _reference(self, keyword: str, value: str, where: str) -> Reference:
        try:
            path = self._plain(value)
            checksum = self._checksum(path)
            check_reference(path.name, fits.getheader(path), keyword, self._calcos_version)
            warning = ""
            if value not in self._files and not (found := self._origin(value)).as_given:
                warning = (
                    f"{where}: {value} is outside the folders of references; {found.path} was used"
                )
        except PermanentError as error:
            raise PermanentError(f"{where}: {error}") from error
        return Reference(keyword, path.name, checksum, value, warning)

    def _checksum(self, path: Path) -> str:
        """Return SHA-256 of a file; the first time, the file is also walked to its end."""
        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        if key not in self._checksums:
            check_fits(path)
            self._checksums[key] = sha256_of(path)
        return self._checksums[key]

    def _plain(self, value: str) -> Path:
        """Return the plain file that a value names: one given for the run, or one in the cache."""
        return self._files.get(value) or self._unpacked(value)

    def _origin(self, value: str) -> FoundReference:
        """Return the file that a value names, plain or gzipped: in the folder, the source, or the
        cache of CRDS.
        """
        folders = list(reference_folders(self._folder, self._source))
        if self._crds:
            folders += [
                self._crds / "references" / "hst",
                self._crds / "references" / "hst" / "cos",
            ]
        if found := locate_reference(value, folders):
            return found
        if not (self._folder or self._crds):
            raise PermanentError(
                "no folder of reference files is set; give --references or COSMO_REFERENCES__FOLDER"
            )
        raise PermanentError(
            f"{value} is not in {folders[0]}; put it there, or upload it for a recipe"
        )

    def _unpacked(self, value: str) -> Path:
        """Return the plain file in the cache, made or renewed from where the reference lies."""
        found = self._origin(value)
        origin, cache = found.path, self._cache
        if origin.parent != self._folder:  # files of one name in several folders are several files
            cache /= hashlib.sha256(os.fsencode(origin.parent)).hexdigest()[:12]
        target = cache / found.name
        modified = origin.stat().st_mtime_ns
        if target.is_file() and target.stat().st_mtime_ns == modified:
            return target
        cache.mkdir(parents=True, exist_ok=True)
        staged = cache / f".{found.name}.{uuid.uuid4().hex}"
        try:
            unpack(origin, staged)
            os.utime(staged, ns=(modified, modified))
            staged.replace(target)
        finally:
            staged.unlink(missing_ok=True)
        return target
