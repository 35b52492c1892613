"""Tables as files: written batch by batch, so that memory does not grow with them where the format
allows it.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol
from weakref import finalize

import numpy as np
import pyarrow as pa
from astropy.table import MaskedColumn, Table
from pyarrow import compute, csv, parquet

from services.monitor.tables.columns import MEDIA_TYPES, Column, Values

__all__ = ["Export", "TableFile", "UnnamedFile", "write_table"]

_ENDINGS = {"votable": "vot"}
_INTEGER_NULL = int(np.iinfo(np.int64).min)
_ARROW = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}
_FORMULA = r"^([=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])"
"""Begin of a text that spreadsheets take for a formula (OWASP, "CSV Injection"), in wide forms too.
"""
_CHUNK = 1 << 20
_MOST_TEXT = 64 << 20


class _Writer(Protocol):
    """What rows are handed to."""

    def add(self, values: Mapping[str, Values]) -> None:
        """Take in values by column."""

    def finish(self) -> None:
        """Complete the file."""


class UnnamedFile:
    """A file on disk without a name, which can be read any number of times.

    It goes when nobody holds it any more.

    Parameters
    ----------
    file
        The file, open.
    """

    def __init__(self, file: IO[bytes]) -> None:
        file.flush()
        self._number = file.fileno()
        self._size = os.fstat(self._number).st_size
        finalize(self, file.close)

    def __len__(self) -> int:
        """Return the bytes that it has."""
        return self._size

    def chunks(self) -> Iterator[bytes]:
        """Read it from its beginning, independently of other readers."""
        for start in range(0, self._size, _CHUNK):
            yield os.pread(self._number, _CHUNK, start)


@dataclass(frozen=True)
class TableFile:
    """A table as a file.

    Attributes
    ----------
    name
        Name that it is saved under.
    media_type
        Media type of its format.
    content
        The file.
    """

    name: str
    media_type: str
    content: UnnamedFile


class Export:
    """One table as a file on disk that has no name and goes with the answers that it is for.

    CSV and Parquet are written as rows come in. VOTable and FITS give the number of rows before the
    first one, so that their rows wait in memory.

    Parameters
    ----------
    columns
        Its columns.
    chosen
        ``csv``, ``votable``, ``fits`` or ``parquet``; all but CSV have units and descriptions.
    """

    def __init__(self, columns: Sequence[Column], chosen: str) -> None:
        self._chosen = chosen
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when no answer holds it any more
        writer = _ArrowWriter if chosen in ("csv", "parquet") else _AstropyWriter
        self._writer: _Writer = writer(columns, chosen, self._file)
        self._widths = {column.name: 0 for column in columns if column.kind is str}
        self.rows = 0

    @property
    def full(self) -> bool:
        """Whether its texts take 64 MB, each as wide as the widest of its column, as they are in a
        FITS table.
        """
        return self.rows * sum(self._widths.values()) >= _MOST_TEXT

    def add(self, values: Mapping[str, Values]) -> None:
        """Take in rows.

        Parameters
        ----------
        values
            Values by column, each 1-D and of the same length.
        """
        self._writer.add(values)
        self.rows += len(next(iter(values.values())))
        for name, width in self._widths.items():
            self._widths[name] = max(width, max(map(len, values[name].data), default=0))

    def finish(self, name: str) -> TableFile:
        """Complete the file.

        Parameters
        ----------
        name
            Name of the table and, with an ending, of the file.
        """
        self._writer.finish()
        ending = _ENDINGS.get(self._chosen, self._chosen)
        return TableFile(f"{name}.{ending}", MEDIA_TYPES[self._chosen], UnnamedFile(self._file))


def write_table(
    name: str, columns: Sequence[Column], values: Mapping[str, Values], chosen: str
) -> TableFile:
    """Write a table whose values are all there; parameters as of `Export`."""
    export = Export(columns, chosen)
    export.add(values)
    return export.finish(name)


class _ArrowWriter:
    """CSV and Parquet."""

    def __init__(self, columns: Sequence[Column], chosen: str, file: IO[bytes]) -> None:
        self._columns = columns
        self._schema = pa.schema(
            pa.field(
                column.name,
                _ARROW[column.kind],
                metadata={"unit": column.unit or "", "description": column.description},
            )
            for column in columns
        )
        self._is_csv = chosen == "csv"
        self._writer = (csv.CSVWriter if self._is_csv else parquet.ParquetWriter)(
            file, self._schema
        )

    def add(self, values: Mapping[str, Values]) -> None:
        """Write rows."""
        arrays = []
        for column in self._columns:
            content = values[column.name]
            array = pa.array(
                content.data, type=_ARROW[column.kind], mask=np.ma.getmaskarray(content)
            )
            if self._is_csv and column.kind is str:
                # An apostrophe before it makes it a text again.
                array = compute.replace_substring_regex(array, pattern=_FORMULA, replacement=r"'\1")
            arrays.append(array)
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def finish(self) -> None:
        """Write what stands at the end."""
        self._writer.close()


class _AstropyWriter:
    """VOTable and FITS."""

    def __init__(self, columns: Sequence[Column], chosen: str, file: IO[bytes]) -> None:
        self._columns = columns
        self._chosen = chosen
        self._file = file
        self._parts: dict[str, list[Values]] = {column.name: [] for column in columns}

    def add(self, values: Mapping[str, Values]) -> None:
        """Keep rows."""
        for name, parts in self._parts.items():
            parts.append(values[name])

    def finish(self) -> None:
        """Write everything."""
        table = Table()
        for column in self._columns:
            parts = self._parts.pop(column.name)
            content: Values = np.ma.MaskedArray(
                np.concatenate([part.data for part in parts]),
                mask=np.concatenate([np.ma.getmaskarray(part) for part in parts]),
            )
            convert = _for_fits if self._chosen == "fits" else _plain
            table[column.name] = MaskedColumn(
                convert(column.kind, content), unit=column.unit, description=column.description
            )
        # BINARY2 is the serialisation of VOTable that has nulls for every type.
        options = (
            {"format": "fits"}
            if self._chosen == "fits"
            else {"format": "votable", "tabledata_format": "binary2"}
        )
        table.write(self._file, **options)


def _plain(kind: type, values: Values) -> Values:
    return np.ma.MaskedArray(values.data.astype(str), mask=values.mask) if kind is str else values


def _for_fits(kind: type, values: Values) -> Any:
    """Return the values with the nulls that a FITS table has.

    NaN, TNULL for integers, blanks for text.

    Text in ASCII.
    """
    if kind is float:
        return values.filled(np.nan)
    if kind is str:
        return np.array(
            [text.encode("ascii", "replace") for text in values.filled("")], dtype=bytes
        )
    if kind is bool and np.ma.is_masked(values):
        values = np.ma.MaskedArray(
            values.data.astype(np.int64), mask=values.mask
        )  # astropy writes no null into a logical column
    if values.dtype == np.int64:
        values.set_fill_value(_INTEGER_NULL)
    return values
