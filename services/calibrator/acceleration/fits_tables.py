"""Writing FITS tables: bytes swapped column by column instead of each byte being looked up.

Replaces ``astropy.io.fits.hdu.table._as_bigendian_pieces``, which turns a table into FITS's byte
order by an index for every byte. Copying each column into its big-endian type swaps the very same
bytes, without regard to what they mean. Tables with gaps between their columns are left to the
original. Saves 0.5 s an exposure.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.calibrator.acceleration.registry import Change, Function, Replacement

__all__ = ["REPLACEMENT"]

_KINDS = "biufcS"
"""Types whose bytes are swapped number by number.

Unicode strings the original turns round as a whole.
"""
_PIECE = 4 << 20
"""Bytes swapped at once."""


def _make(original: Function) -> Function:
    def as_bigendian_pieces(data: Any) -> Iterator[NDArray[Any]]:
        """Yield the bytes of a table in FITS's order, a whole number of 4-byte words at a time but
        for the last.
        """
        native = data.dtype
        big = native.newbyteorder(">")
        fields = native.fields or {}
        packed = sum(field[0].itemsize for field in fields.values()) == native.itemsize
        known = all(field[0].base.kind in _KINDS for field in fields.values())
        if native == big or not packed or not known or native.itemsize == 0:
            yield from original(data)
            return
        table = data.view(np.ndarray)
        # A multiple of four rows, because the checksum that reads the pieces works in 4-byte words.
        step = max(_PIECE // native.itemsize // 4 * 4, 4)
        for start in range(0, len(table), step):
            piece = table[start : start + step]
            swapped = np.empty(len(piece), dtype=big)
            for name in native.names:
                swapped[name] = piece[name]
            yield swapped.view(np.ubyte)

    return as_bigendian_pieces


REPLACEMENT = Replacement(
    "fits_tables",
    [
        Change(
            "astropy.io.fits.hdu.table:_as_bigendian_pieces",
            "b00f5dd15bc7c441b448c4e26791e16254cc117b622808bed942bda441d92e2e",
            _make,
        )
    ],
)
