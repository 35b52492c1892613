"""Counts of superpixels, packed: most of a map of dark counts is empty."""

import zlib

import numpy as np
from numpy.typing import NDArray

from shared.errors import PermanentError

__all__ = ["pack_counts", "unpack_counts"]

_KINDS = ("<u4", "<u4")
"""Gaps between the numbers of the cells, and their counts."""
_LEVEL = 6


def pack_counts(cells: NDArray[np.integer], counts: NDArray[np.integer]) -> bytes:
    """Pack the counts of those cells that have any.

    Parameters
    ----------
    cells
        Numbers of the cells, below 2**32, in ascending order, shape (n,).
    counts
        Their counts, shape (n,).

    Returns
    -------
    bytes
        Gaps between the numbers and then counts, as little-endian 32 bits whose first bytes come
        before all second ones and so on, deflated.
    """
    gaps = np.diff(cells, prepend=0)
    return zlib.compress(
        b"".join(
            _planes(column, kind) for column, kind in zip((gaps, counts), _KINDS, strict=True)
        ),
        _LEVEL,
    )


def _planes(values: NDArray[np.integer], kind: str) -> bytes:
    return np.ascontiguousarray(values.astype(kind).view(np.uint8).reshape(-1, 4).T).tobytes()


def unpack_counts(packed: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of cells in ascending order, and their counts; both of shape (n,).

    Parameters
    ----------
    packed
        What `pack_counts` made.

    Raises
    ------
    PermanentError
        If it made no such thing.
    """
    try:
        content = np.frombuffer(zlib.decompress(packed), dtype=np.uint8)
        planes = content.reshape(2, 4, -1)
    except (zlib.error, ValueError) as error:
        raise PermanentError(f"these are no packed counts: {error}") from error
    gaps, counts = (
        np.ascontiguousarray(plane.T).view(kind).ravel().astype(np.int64)
        for plane, kind in zip(planes, _KINDS, strict=True)
    )
    return np.cumsum(gaps), counts
