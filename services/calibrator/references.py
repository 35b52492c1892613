"""The folder of reference files: each one found, unpacked once, and checked before a run.

CalCOS reports a missing or wrong reference with an empty message, or half a run later.
"""

import os
import re
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from services.calibrator.headers import Exposure
from services.calibrator.unpacking import unpack
from shared.cos.references import FILETYPES, find_reference, needed_references
from shared.errors import PermanentError
from shared.fits import check_fits
from shared.store import sha256_of

__all__ = ["Reference", "ReferenceFolder"]

_THREADS = 2
"""Files unpacked and checked at once, outside the interpreter lock: CalCOS does not run yet."""

_MIN_VERSION = {"XWLKFILE": "3.1", "YWLKFILE": "3.1", "HVDSTAB": "3.4"}
"""Lowest VCALCOS where it is not 2.0 (`missingRefFiles`)."""

_UNCHECKED_VERSION = "1.0"
"""VCALCOS of a file that has none, as CalCOS takes it."""


def _version(text: str) -> tuple[tuple[int, str], ...]:
    """Version as CalCOS compares it: part by part, number first, then letters."""
    parts = re.findall(r"(\d+)([A-Za-z]*)", text)
    return tuple((int(number), letters) for number, letters in parts)


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
    """

    def __init__(self, folder: Path | None, cache: Path, calcos_version: str) -> None:
        self._folder = folder
        self._cache = cache.resolve()
        self._calcos_version = calcos_version
        self._checksums: dict[tuple[str, int, int], str] = {}

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
                (folder / name).hardlink_to(self._cache / name)
            except OSError:  # another disk, or one without hard links
                (folder / name).symlink_to(self._cache / name)

    def _reference(self, keyword: str, name: str, where: str) -> Reference:
        try:
            path = self._unpacked(name)
            checksum = self._checksum(path)
        except PermanentError as error:
            raise PermanentError(f"{where}: {error}") from error
        header = fits.getheader(path)
        filetype = str(header.get("FILETYPE", "ANY")).strip()
        if filetype not in (FILETYPES[keyword], "ANY"):
            raise PermanentError(f"{where}: {name} is a {filetype}, where a {FILETYPES[keyword]} belongs")
        self._check_version(where, keyword, name, str(header.get("VCALCOS", _UNCHECKED_VERSION)).strip())
        return Reference(keyword, name, checksum)

    def _check_version(self, where: str, keyword: str, name: str, version: str) -> None:
        lowest = _MIN_VERSION.get(keyword, "2.0")
        if _version(version) < _version(lowest):
            raise PermanentError(f"{where}: {name} is for CalCOS {version} (VCALCOS); at least {lowest} is needed")
        if _version(version) > _version(self._calcos_version):
            raise PermanentError(
                f"{where}: {name} needs CalCOS {version} or later (VCALCOS); this is {self._calcos_version}"
            )

    def _checksum(self, path: Path) -> str:
        """SHA-256 of a file; the first time, the file is also walked to its end."""
        status = path.stat()
        key = (path.name, status.st_size, status.st_mtime_ns)
        if key not in self._checksums:
            check_fits(path)
            self._checksums[key] = sha256_of(path)
        return self._checksums[key]

    def _unpacked(self, name: str) -> Path:
        """Plain file in the cache, made or renewed from the folder."""
        if self._folder is None:
            raise PermanentError(
                "no folder of reference files is set; give --references or COSMO_CALIBRATOR__REFERENCES"
            )
        origin = find_reference(self._folder, name)
        if origin is None:
            raise PermanentError(f"{name} is not in {self._folder}; put it there")
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
