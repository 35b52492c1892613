"""The folder of reference files: each one found, unpacked once, and checked before a run.

CalCOS reports a missing or wrong reference with an empty message, or half a run later.
"""

import os
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from services.calibrator.contexts import best_references
from services.calibrator.headers import Exposure
from services.calibrator.unpacking import unpack
from shared.cos.references import check_reference, find_reference, needed_references
from shared.errors import PermanentError
from shared.fits import check_fits
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
    """A reference file that a run uses: keyword, name and SHA-256."""

    keyword: str
    name: str
    sha256: str


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
    files
        Plain files that go before those of the folder, by name.
    """

    def __init__(
        self,
        folder: Path | None,
        cache: Path,
        calcos_version: str,
        crds: Path | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        self._folder = folder
        self._crds = crds
        self._files = dict(files or {})
        self._cache = cache.resolve()
        self._calcos_version = calcos_version
        self._checksums: dict[tuple[str, int, int], str] = {}

    def with_files(self, files: Mapping[str, Path]) -> "ReferenceFolder":
        """Let plain files, by name, go before those of the folder, for one run."""
        other = ReferenceFolder(self._folder, self._cache, self._calcos_version, self._crds, files)
        other._checksums = self._checksums  # what was read once is known to both
        return other

    def best(self, context: str, exposure: Exposure) -> Mapping[str, str]:
        """Names of the best references of an exposure by a context of CRDS, by keyword; see `best_references`."""
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
            If a file is missing, damaged, of another type or for another CalCOS; the message names the keyword and
            the file.
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
        """Give a run its own references, which stay what they are when the cache is renewed in the middle of it.

        Parameters
        ----------
        references
            What `resolve` found.
        folder
            New folder for ``lref`` to point to.
        """
        folder.mkdir()
        for name in {reference.name for reference in references}:
            try:
                (folder / name).hardlink_to(self._located(name))
            except OSError:  # another disk, or one without hard links
                (folder / name).symlink_to(self._located(name))

    def _reference(self, keyword: str, name: str, where: str) -> Reference:
        try:
            path = self._located(name)
            checksum = self._checksum(path)
            check_reference(name, fits.getheader(path), keyword, self._calcos_version)
        except PermanentError as error:
            raise PermanentError(f"{where}: {error}") from error
        return Reference(keyword, name, checksum)

    def _checksum(self, path: Path) -> str:
        """SHA-256 of a file; the first time, the file is also walked to its end."""
        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        if key not in self._checksums:
            check_fits(path)
            self._checksums[key] = sha256_of(path)
        return self._checksums[key]

    def _located(self, name: str) -> Path:
        """Plain file of a name: one given for the run, or one in the cache."""
        return self._files.get(name) or self._unpacked(name)

    def _origin(self, name: str) -> Path:
        """File of a name, plain or gzipped: in the folder, or in the cache of CRDS."""
        folders = [self._folder] if self._folder else []
        if self._crds:
            folders += [self._crds / "references" / "hst", self._crds / "references" / "hst" / "cos"]
        if not folders:
            raise PermanentError(
                "no folder of reference files is set; give --references or COSMO_CALIBRATOR__REFERENCES"
            )
        found = next((path for folder in folders if (path := find_reference(folder, name))), None)
        if found is None:
            raise PermanentError(f"{name} is not in {folders[0]}; put it there, or upload it for a recipe")
        return found

    def _unpacked(self, name: str) -> Path:
        """Plain file in the cache, made or renewed from the folder."""
        origin = self._origin(name)
        target = self._cache / name
        modified = origin.stat().st_mtime_ns
        if target.is_file() and target.stat().st_mtime_ns == modified:
            return target
        self._cache.mkdir(parents=True, exist_ok=True)
        staged = self._cache / f".{name}.{uuid.uuid4().hex}"
        try:
            unpack(origin, staged)
            os.utime(staged, ns=(modified, modified))
            staged.replace(target)
        finally:
            staged.unlink(missing_ok=True)
        return target
