"""Dependencies of a calibration beside its inputs.

The content of the reference files that its headers name.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from shared.cos.reference_names import RemoteFolder, locate_reference
from shared.errors import PermanentError
from shared.remote_references import RemoteReferences
from shared.store import sha256_of

__all__ = ["reference_digests"]


def reference_digests(
    folders: Sequence[Path | RemoteFolder], names: Iterable[str]
) -> dict[str, str | None]:
    """Return SHA-256 of reference files as they lie in their folders, packed or not.

    A file is read once for each size and time of change that it had.

    Parameters
    ----------
    folders
        Folders that reference files may lie in; none where this service does not see them.
    names
        Texts of `ReferenceName`.

    Returns
    -------
    dict of str to str or None
        None for a file that is not there, so that its arrival is a change too. Empty without a
        folder.

    Raises
    ------
    OutageError
        If a folder that is behind a URL does not answer.
    """
    for folder in folders:
        if isinstance(folder, RemoteReferences):
            folder.refresh()
    return {name: _digest_of(folders, name) for name in sorted(names)} if folders else {}


def _digest_of(folders: Sequence[Path | RemoteFolder], name: str) -> str | None:
    try:
        found = locate_reference(name, folders)
        if found is None:
            return None
        status = found.path.stat()
        return _digest(found.path, status.st_size, status.st_mtime_ns)
    except (
        OSError,
        PermanentError,
    ):  # gone meanwhile, unreadable or no name: the calibrator reports it
        return None


@lru_cache(maxsize=10_000)
def _digest(path: Path, _size: int, _modified: int) -> str:
    return sha256_of(path)
