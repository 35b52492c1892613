"""Writing FITS images: long runs of zeros left as holes.

Replaces ``astropy.io.fits.file._File.writearray``, which hands every byte to the file system. What is skipped beyond
the end of a file reads as zeros: content and size are the same, and what lies outside the active area of the detector
takes no space. Only for large contiguous arrays that go to the end of a plain file; anything else is left to the
original. Saves a quarter of the volume of FUV images on a disk; a memory file system takes the space when CalCOS maps
the file to read it. Nothing in CalCOS writes through such a map, so a full disk is met by a write, as before.
"""

import os
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from astropy.io.fits.util import isfile
from numpy.typing import NDArray

from services.calibrator.acceleration.registry import Change, Function, Replacement

__all__ = ["REPLACEMENT"]

_PAGE = 4096
"""What holes are aligned to in the file."""

_BLOCK = 2 * _PAGE
"""Shortest hole; shorter ones cost more calls than they save."""

_SMALLEST = 1 << 20
"""Smallest array that is looked through, bytes."""


def _make(original: Function) -> Function:
    def writearray(file: Any, array: Any) -> None:
        """Write an array at the position of the file."""
        if not file.simulateonly and _is_plain(array) and _ends_here(file._file):
            _write(file._file, np.asarray(array).reshape(-1).view(np.uint8))
        else:
            original(file, array)

    return writearray


def _is_plain(array: Any) -> bool:
    if not isinstance(array, np.ndarray) or array.nbytes < _SMALLEST:
        return False
    return bool(array.flags.c_contiguous) and not array.dtype.hasobject


def _ends_here(stream: Any) -> bool:
    """Whether the stream is at the end of a plain file."""
    if not isfile(stream) or not stream.seekable() or not stream.writable():
        return False
    stream.flush()
    return os.fstat(stream.fileno()).st_size == int(stream.tell())


def _write(stream: Any, content: NDArray[np.uint8]) -> None:
    start = stream.tell()
    for empty, first, stop in _runs(content, -start % _PAGE):
        if empty:
            # A file does not grow by seeking, and one that is open for appending writes where it ends.
            os.ftruncate(stream.fileno(), start + stop)
            stream.seek(start + stop)
        else:
            content[first:stop].tofile(stream)


def _runs(content: NDArray[np.uint8], head: int) -> Iterator[tuple[bool, int, int]]:
    """Divide bytes into runs: whether they are empty, begin, end. Blocks begin after `head` bytes."""
    blocks = (content.size - head) // _BLOCK
    words = content[head : head + blocks * _BLOCK].view(np.uint64).reshape(blocks, -1)
    empty = np.zeros(blocks + 2, dtype=bool)  # what comes before and after the blocks is written
    empty[1:-1] = np.bitwise_or.reduce(words, axis=1) == 0
    edges = np.flatnonzero(np.diff(empty)) * _BLOCK + head
    bounds = [0, *edges.tolist(), content.size]
    for number, (first, stop) in enumerate(pairwise(bounds)):
        yield bool(number % 2), first, stop


REPLACEMENT = Replacement(
    "sparse_files",
    [
        Change(
            "astropy.io.fits.file:_File.writearray",
            "90aff87b7376e77076d15663db6176485b4325aa36395b402177b89130577386",
            _make,
        )
    ],
    {"astropy.io.fits.util:_array_to_file": "2e249e3ecf6bffc54d08a2f2d01a42b0c492dabc174476a331995e4ccfc4e3bb"},
)
