"""Products: which are kept, and how they are packed."""

import fnmatch
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from isal import igzip

from shared.cos.names import parse_name
from shared.errors import PermanentError, TransientError

__all__ = ["kept_products", "pack"]

_CHUNK = 4 << 20
_LEVEL = 1
"""Compression of isal; images are 99 % zeros, so a higher level costs more than it saves."""


def kept_products(outdir: Path, keep: str) -> list[Path]:
    """Products of a run that the policy keeps.

    Parameters
    ----------
    outdir
        Folder that CalCOS wrote to.
    keep
        Patterns of suffixes, comma separated.
    """
    patterns = [pattern.strip() for pattern in keep.split(",")]
    return [
        path
        for path in sorted(outdir.glob("*.fits"))
        if _is_product(path) and any(fnmatch.fnmatch(parse_name(path.name).suffix, pattern) for pattern in patterns)
    ]


def _is_product(path: Path) -> bool:
    try:
        return parse_name(path.name).suffix != "asn"
    except PermanentError:
        return False


def pack(paths: Iterable[Path], folder: Path) -> list[Path]:
    """Compress files, several at once; unpacking gives back the very bytes.

    Parameters
    ----------
    paths
        Files.
    folder
        Where ``<name>.gz`` goes.

    Raises
    ------
    TransientError
        If the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # isal works outside the interpreter lock, so threads do run at once.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(lambda path: _pack(path, folder / f"{path.name}.gz"), paths))


def _pack(path: Path, target: Path) -> Path:
    try:
        # No name and time in the gzip header: the same product packs to the same bytes.
        with (
            path.open("rb") as stream,
            target.open("wb") as raw,
            igzip.IGzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as out,
        ):
            while chunk := stream.read(_CHUNK):
                out.write(chunk)
    except OSError as error:
        raise TransientError(f"{path.name} could not be packed: {error}; free space in the scratch folder") from error
    return target
