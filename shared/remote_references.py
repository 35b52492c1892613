"""Reference files behind an fsspec URL, with copies on this machine."""

import hashlib
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from shared.errors import PermanentError
from shared.settings import ReferenceSettings
from shared.store import Store, StoredEntry

__all__ = ["RemoteReferences", "check_references", "open_references"]

_SETTING = "COSMO_REFERENCES__FOLDER"
_FRESH_SECONDS = 60.0
"""For which a listing is used again."""


class RemoteReferences:
    """Folder of reference files behind an fsspec URL.

    A file is copied when it is wanted for the first time. Each version of it has a folder of its
    own on this machine, so that a copy never changes.

    Parameters
    ----------
    url
        fsspec URL of the folder.
    cache
        Local folder for the copies; processes of one machine may share it.
    """

    def __init__(self, url: str, cache: Path) -> None:
        self._store = Store(url, _SETTING)
        self._cache = cache / "copies" / _hashed(url)
        self._listed: dict[str, tuple[float, dict[str, StoredEntry]]] = {}

    def __str__(self) -> str:
        """Return the URL."""
        return self._store.url

    def refresh(self) -> None:
        """Forget what was listed, since newer files are to be seen."""
        self._listed = {}

    def copy_of(self, name: str, folder: str = "") -> Path | None:
        """Return the path of a copy of a file as it is now; None where the folder has none.

        Parameters
        ----------
        name
            Name of the file.
        folder
            Folder that it lies in, below this one.

        Raises
        ------
        OutageError
            If the file system does not answer.
        """
        entry = self._entries(folder).get(name)
        if entry is None:
            return None
        target = self._cache / _hashed(f"{folder} {entry.size} {entry.version}") / name
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._cache) as staging:
                place = f"{folder}/{name}" if folder else name
                self._store.fetch(place, Path(staging)).replace(target)
        return target

    def require(self) -> None:
        """Refuse a URL that cannot work as it is set, or has no files.

        Raises
        ------
        PermanentError
            If its package or credentials are missing, or it lists nothing.
        OutageError
            If its file system does not answer.
        """
        self._store.require(writing=False)
        if not self._entries(""):
            raise PermanentError(f"{self} lists no reference files; correct {_SETTING}")

    def _entries(self, folder: str) -> dict[str, StoredEntry]:
        listed, entries = self._listed.get(folder, (0.0, {}))
        if not entries or time.monotonic() - listed > _FRESH_SECONDS:
            entries = {entry.name: entry for entry in self._store.files(folder)}
            self._listed[folder] = time.monotonic(), entries
        return entries


def open_references(settings: ReferenceSettings) -> Path | RemoteReferences | None:
    """Return the folder of the reference files, wherever it is; None where none is set."""
    if isinstance(settings.folder, str):
        return _remote(settings.folder, settings.cache.absolute())
    return settings.folder


def check_references(settings: ReferenceSettings) -> None:
    """Refuse a URL of reference files that cannot work as it is set.

    Raises
    ------
    CosmoError
        As `RemoteReferences.require`.
    """
    references = open_references(settings)
    if isinstance(references, RemoteReferences):
        references.require()


@lru_cache
def _remote(url: str, cache: Path) -> RemoteReferences:
    """One object for each URL, so that its listings are shared."""
    return RemoteReferences(url, cache)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
