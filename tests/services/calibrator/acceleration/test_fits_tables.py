"""Tables are turned into FITS's byte order as the original does it."""

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.acceleration.fits_tables import REPLACEMENT

from .conftest import pair

ORIGINAL, STAND_IN = pair(REPLACEMENT, "_as_bigendian_pieces")


@pytest.mark.parametrize("rows", [0, 1, 3, 5001])
def test_bytes_are_the_same(random: np.random.Generator, rows: int) -> None:
    columns = [
        fits.Column("A", "4A", array=random.choice(["FUVA", "x"], rows)),
        fits.Column("B", "D", array=random.normal(size=rows)),
        fits.Column("C", "12E", dim="(3,4)", array=random.normal(size=(rows, 4, 3))),
        fits.Column("D", "I", array=random.integers(-9, 9, rows)),
        fits.Column("E", "L", array=random.random(rows) > 0.5),
        fits.Column("F", "2M", array=random.normal(size=(rows, 2)) * 1j),
        fits.Column("G", "B", array=random.integers(0, 99, rows)),
    ]
    data = fits.BinTableHDU.from_columns(columns, nrows=rows).data
    expected = b"".join(piece.tobytes() for piece in ORIGINAL(data))
    pieces = list(STAND_IN(data))
    assert b"".join(piece.tobytes() for piece in pieces) == expected
    assert all(
        piece.dtype == np.uint8 and piece.ndim == 1 and piece.size % 4 == 0 for piece in pieces[:-1]
    )


def test_rows_longer_than_a_piece() -> None:
    data = fits.BinTableHDU.from_columns(
        [fits.Column("A", "700000D", array=np.random.default_rng(1).normal(size=(9, 700_000)))]
    ).data
    assert b"".join(p.tobytes() for p in STAND_IN(data)) == b"".join(
        p.tobytes() for p in ORIGINAL(data)
    )


def test_tables_in_order_or_with_gaps_are_left_to_the_original() -> None:
    for dtype in (
        np.dtype([("A", ">i4"), ("B", ">f8")]),
        np.dtype(
            {"names": ["A", "B"], "formats": ["<i2", "<f8"], "offsets": [0, 8], "itemsize": 20}
        ),
    ):
        data = np.zeros(7, dtype=dtype).view(np.recarray)
        data["A"] = np.arange(7)
        assert b"".join(p.tobytes() for p in STAND_IN(data)) == b"".join(
            p.tobytes() for p in ORIGINAL(data)
        )


def test_unicode_strings_are_left_to_the_original() -> None:
    data = np.zeros(7, dtype=[("A", "<U3"), ("B", "<i4")]).view(np.recarray)
    data["A"], data["B"] = "abc", np.arange(7)
    assert b"".join(p.tobytes() for p in STAND_IN(data)) == b"".join(
        p.tobytes() for p in ORIGINAL(data)
    )
