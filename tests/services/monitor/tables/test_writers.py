"""Tables as files, written batch by batch."""

import csv
import io
import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from astropy.table import Table

from services.monitor.tables.columns import Column, Values, masked
from services.monitor.tables.writers import Export

_COLUMNS = [Column("name", str, None, "What it is"), Column("rate", float, "count / s", "How much")]
_ROWS = 2000


def _batch(number: int, rows: int = _ROWS, text: str = "") -> dict[str, Values]:
    first = number * rows
    return {
        "name": masked(str, [f"row {first + row}{text}" for row in range(rows)]),
        "rate": masked(float, [None if row == 1 else float(first + row) for row in range(rows)]),
    }


def _content(export: Export) -> bytes:
    return b"".join(export.finish("rates").content.chunks())


def _read(content: bytes, chosen: str) -> Table:
    if chosen == "parquet":
        found = pyarrow.parquet.read_table(io.BytesIO(content)).to_pydict()
        return Table(
            {
                "name": found["name"],
                "rate": [np.nan if rate is None else rate for rate in found["rate"]],
            }
        )
    source: Any = content.decode() if chosen == "csv" else io.BytesIO(content)
    return Table.read(source, format="ascii.csv" if chosen == "csv" else chosen)


@pytest.mark.parametrize("chosen", ["csv", "parquet", "votable", "fits"])
def test_batches_make_one_table(chosen: str) -> None:
    export = Export(_COLUMNS, chosen)
    for number in range(3):
        export.add(_batch(number, 4))
    assert export.rows == 12
    table = _read(_content(export), chosen)
    assert list(table["name"]) == [f"row {row}" for row in range(12)]
    rates = np.ma.filled(np.ma.MaskedArray(table["rate"], dtype=float), np.nan)
    expected = [np.nan if row % 4 == 1 else float(row) for row in range(12)]
    assert np.array_equal(rates, expected, equal_nan=True)


@pytest.mark.parametrize("chosen", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_rows(chosen: str) -> None:
    export = Export(_COLUMNS, chosen)
    export.add(_batch(0))
    pool = pa.default_memory_pool()
    tracemalloc.start()
    export.add(_batch(1))
    (few, _), arrow = tracemalloc.get_traced_memory(), pool.bytes_allocated()
    for number in range(2, 52):
        export.add(_batch(number))
    (many, peak), arrows = tracemalloc.get_traced_memory(), pool.bytes_allocated()
    tracemalloc.stop()
    assert many - few < 200_000  # of Parquet, what each group of rows holds
    assert peak < 5_000_000
    assert arrows - arrow < 1_000_000
    assert len(_read(_content(export), chosen)) == 52 * _ROWS == export.rows


def test_long_texts_fill_it() -> None:
    export = Export(_COLUMNS, "fits")
    export.add(_batch(0, 1000))
    assert not export.full
    export.add(_batch(1, 1000, "x" * 40_000))
    assert export.full


def test_texts_of_a_csv_file_are_no_formulas() -> None:
    texts = ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "\n=1", "\uff1d1", "a=1", "", None, "1-2"]
    columns = [
        Column("name", str, None, ""),
        Column("rate", float, None, ""),
        Column("number", int, None, ""),
    ]
    values = {
        "name": masked(str, texts),
        "rate": masked(float, [-1.5] * len(texts)),
        "number": masked(int, [-2] * len(texts)),
    }
    for chosen in ("csv", "parquet"):
        export = Export(columns, chosen)
        export.add(values)
        content = _content(export)
        if chosen == "parquet":
            assert pyarrow.parquet.read_table(io.BytesIO(content))["name"].to_pylist() == texts
            continue
        _head, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
        assert [row[0] for row in rows] == [f"'{text}" for text in texts[:8]] + [
            "a=1",
            "",
            "",
            "1-2",
        ]
        assert {(row[1], row[2]) for row in rows} == {("-1.5", "-2")}
