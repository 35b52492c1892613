"""Columns of binary tables, as NumPy arrays, without the columns that nobody asked for.

Source: FITS standard 4.0, section 7.3.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.errors import PermanentError
from shared.fits.cards import Header, Value

__all__ = ["Columns", "TableLayout"]

Columns = Mapping[str, "np.ndarray[Any, Any]"]
"""Values by column.

1-D, or 2-D where a cell holds an array; text as str without trailing blanks.
"""

_LARGEST = 1e300
_BLANK, _TILDE = 0x20, 0x7E
_AGAIN = "fetch it again"

_FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])")
_DTYPES = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_WIDTHS = {
    "L": 1,
    "B": 1,
    "I": 2,
    "J": 4,
    "K": 8,
    "A": 1,
    "E": 4,
    "D": 8,
    "C": 8,
    "M": 16,
    "P": 8,
    "Q": 16,
}
_MAX_FIELDS = 999
_MAX_WIDTH = 1 << 28
"""Widest row that is read; rows of the widest COS table, a profile reference, have 22 MB."""
_UNSIGNED = {("I", 32768.0): np.uint16, ("J", 2147483648.0): np.uint32}
"""Unsigned integers are written as signed ones with this TZERO (standard, 5.2.5)."""


@dataclass(frozen=True)
class _Column:
    """Where a column is in a row, and how its cells are written.

    ``scaling`` as far as TSCAL and TZERO are numbers.
    """

    letter: str
    repeat: int
    offset: int
    scaling: tuple[Value, Value]

    @property
    def dtype(self) -> str | tuple[str, int]:
        if self.letter == "A":
            return f"S{max(self.repeat, 1)}"
        kind = _DTYPES[self.letter]
        return kind if self.repeat == 1 else (kind, self.repeat)

    def native(self, values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Return the values in native byte order, scaled where the header says so."""
        if self.letter == "A":
            return _texts(values)
        if self.letter == "L":
            return np.asarray(values == b"T")
        scale, zero = (float(value) for value in self.scaling if isinstance(value, int | float))
        if (unsigned := _UNSIGNED.get((self.letter, zero))) is not None and scale == 1:
            return (values.astype(np.int64) + int(zero)).astype(unsigned)
        if scale != 1 or zero != 0:
            return values.astype(np.float64) * scale + zero
        return values.astype(values.dtype.newbyteorder("="))


class TableLayout:
    """How the rows of a binary table are written.

    Parameters
    ----------
    header
        Header of the extension.
    where
        File and extension, for errors.

    Raises
    ------
    PermanentError
        If it is no binary table, or its columns do not add up to its rows.
    """

    def __init__(self, header: Header, where: str) -> None:
        if str(header.get("XTENSION", "")).strip() != "BINTABLE":
            raise PermanentError(f"{where}: not a binary table")
        self._where = where
        self.width = _count(header, "NAXIS1", where)
        self.rows = _count(header, "NAXIS2", where)
        fields = _count(header, "TFIELDS", where)
        if fields > _MAX_FIELDS:
            raise PermanentError(f"{where}: TFIELDS is {fields}; FITS knows at most {_MAX_FIELDS}")
        self._columns: dict[str, _Column] = {}
        offset = 0
        for number in range(1, fields + 1):
            letter, repeat, width = _form(header, number, where)
            scaling = header.get(f"TSCAL{number}", 1), header.get(f"TZERO{number}", 0)
            name = str(header.get(f"TTYPE{number}", "")).strip().upper()
            self._columns.setdefault(name, _Column(letter, repeat, offset, scaling))
            offset += width
        if offset != self.width or not 0 < self.width <= _MAX_WIDTH:
            raise PermanentError(
                f"{where}: its columns take {offset} bytes, NAXIS1 says {self.width}"
            )

    def __contains__(self, name: str) -> bool:
        return name.upper() in self._columns

    def readable(self, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return which columns can be read, and what is wrong with each of the others.

        Parameters
        ----------
        wanted
            Names of the columns.
        """
        found, faults = [], []
        for name in wanted:
            try:
                self._column(name)
            except PermanentError as error:
                faults.append(str(error))
            else:
                found.append(name)
        return found, faults

    def read(self, content: bytes, wanted: Sequence[str]) -> Columns:
        """Return the columns of whole rows.

        Parameters
        ----------
        content
            Bytes of the rows.
        wanted
            Names of the columns.

        Raises
        ------
        PermanentError
            If there is no such column, its cells are of a kind that is not read, or a text in it is
            none.
        """
        columns = {name: self._column(name) for name in wanted}
        dtype = np.dtype(
            {
                "names": list(columns),
                "formats": [column.dtype for column in columns.values()],
                "offsets": [column.offset for column in columns.values()],
                "itemsize": self.width,
            }
        )
        rows = np.frombuffer(content, dtype=dtype)
        try:
            return {name: column.native(rows[name]) for name, column in columns.items()}
        except UnicodeDecodeError as error:
            raise PermanentError(
                f"{self._where} holds bytes that are no text where text belongs; {_AGAIN}"
            ) from error

    def _column(self, name: str) -> _Column:
        column = self._columns.get(name.upper())
        if column is None:
            raise PermanentError(f"{self._where} has no column {name}")
        if column.letter not in (*_DTYPES, "A") or column.repeat == 0:
            raise PermanentError(
                f"{self._where}: column {name} is written as {column.repeat}{column.letter}"
            )
        for value in column.scaling:
            if not isinstance(value, int | float) or not abs(value) < _LARGEST:
                raise PermanentError(
                    f"{self._where}: column {name} cannot be scaled with {value!r} (TSCAL, TZERO)"
                )
        return column


def _texts(cells: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return the texts of cells of bytes, each up to its first NUL (standard, 7.3.3.1), without
    trailing blanks.

    Raises
    ------
    UnicodeDecodeError
        If there is anything else but printable ASCII.
    """
    content = np.frombuffer(cells.tobytes(), np.uint8).reshape(len(cells), cells.dtype.itemsize)
    ended = np.logical_or.accumulate(content == 0, axis=1)
    odd = np.flatnonzero(~ended & ((content < _BLANK) | (content > _TILDE)))
    if odd.size:
        raise UnicodeDecodeError(
            "ascii", cells.tobytes(), int(odd[0]), int(odd[0]) + 1, "not printable ASCII"
        )
    shown = np.where(ended, np.uint8(0), content).astype(np.uint8)
    return np.asarray(np.char.rstrip(np.char.decode(shown.view(cells.dtype).ravel(), "ascii")))


def _count(header: Header, keyword: str, where: str) -> int:
    value = header.get(keyword)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise PermanentError(f"{where}: {keyword} is {value!r}, not a count")
    return value


def _form(header: Header, number: int, where: str) -> tuple[str, int, int]:
    """Return the letter, repeat count and bytes of a column."""
    text = str(header.get(f"TFORM{number}", "")).strip()
    match = _FORM.match(text)
    if match is None:
        raise PermanentError(f"{where}: TFORM{number} is {text!r}, which FITS does not know")
    repeat, letter = int(match[1] or 1), match[2]
    width = -(-repeat // 8) if letter == "X" else repeat * _WIDTHS[letter]
    return letter, repeat, width
