"""What a calibration depends on beside its inputs: the content of the reference files that its headers name."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from shared.cos.references import find_reference
from shared.store import sha256_of

__all__ = ["reference_digests"]


def reference_digests(folder: Path | None, names: Iterable[str]) -> dict[str, str | None]:
    """SHA-256 of reference files as they lie in their folder, packed or not.

    A file is read once for each size and time of change that it had.

    Parameters
    ----------
    folder
        Folder of the reference files; None where this service does not see it.
    names
        Names without ``.gz``.

    Returns
    -------
    dict of str to str or None
        None for a file that is not there, so that its arrival is a change too. Empty without a folder.
    """
    return {name: _digest_of(folder, name) for name in sorted(names)} if folder is not None else {}


def _digest_of(folder: Path, name: str) -> str | None:
    path = find_reference(folder, name)
    if path is None:
        return None
    try:
        status = path.stat()
        return _digest(path, status.st_size, status.st_mtime_ns)
    except OSError:  # it went in this moment, or cannot be read; the calibrator will tell
        return None


@lru_cache(maxsize=10_000)
def _digest(path: Path, _size: int, _modified: int) -> str:
    return sha256_of(path)
