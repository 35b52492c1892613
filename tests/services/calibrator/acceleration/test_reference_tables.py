"""Rows of reference tables are the original's, are the caller's own, and follow a file that
changes.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from calcos.calcosparam import MissingRowError

from services.calibrator.acceleration.reference_tables import REPLACEMENT

from .conftest import pair, same_bits

ORIGINAL, STAND_IN = pair(REPLACEMENT, "getTable")
FIND, FAST_FIND = pair(REPLACEMENT, "findColumn")


def _table(path: Path, offset: float = 0.0, rows: int = 5) -> str:
    columns = [
        fits.Column("SEGMENT", "4A", array=["FUVA", "FUVB", "ANY", "FUVA", "N/A"][:rows]),
        fits.Column("CENWAVE", "J", array=[1291, 1291, 1291, 1309, 1291][:rows]),
        fits.Column("HAS_LINES", "L", array=[True, False, True, True, False][:rows]),
        fits.Column("START", "D", array=(np.arange(5.0) + offset)[:rows]),
        fits.Column(
            "IMAGE",
            "6E",
            dim="(3,2)",
            array=np.arange(30, dtype=np.float32).reshape(5, 2, 3)[:rows],
        ),
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(
        path, overwrite=True
    )
    return str(path)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("lref", f"{tmp_path}/")
    return _table(tmp_path / "abc_tab.fits")


FILTERS: list[dict[str, Any]] = [
    {},
    {"segment": "FUVA"},
    {"segment": "FUVB", "cenwave": 1291},
    {"segment": "ANY"},
    {"SEGMENT": "N/A", "CENWAVE": 1309},
    {"start": (np.less_equal, 2.0), "segment": "FUVA"},
    {"start": [np.greater, 99.0]},
    {"cenwave": 7},
]


@pytest.mark.parametrize("wanted", FILTERS)
def test_rows(table: str, wanted: dict[str, Any]) -> None:
    for _ in range(2):
        expected, found = ORIGINAL(table, wanted), STAND_IN(table, wanted)
        if expected is None:
            assert found is None
            continue
        assert (found.shape, found.names, len(found)) == (
            expected.shape,
            expected.names,
            len(expected),
        )
        for name in expected.names:
            assert same_bits(found.field(name), expected.field(name))
            assert same_bits(found[name], expected[name])
            assert same_bits(found[0][name], expected[0][name])


def test_callers_may_write_into_their_rows(table: str) -> None:
    rows = STAND_IN(table, {"segment": "FUVA"})
    rows.field("START")[:] = -1.0
    rows["IMAGE"][0][:] = 9.0
    rows["HAS_LINES"][:] = False
    del rows
    again, expected = STAND_IN(table, {"segment": "FUVA"}), ORIGINAL(table, {"segment": "FUVA"})
    for name in expected.names:
        assert same_bits(again.field(name), expected.field(name))


def test_a_file_that_changes_is_read_again(table: str) -> None:
    assert STAND_IN(table, {}).field("START")[0] == 0.0
    before = Path(table).stat().st_mtime_ns
    _table(Path(table), offset=100.0)
    os.utime(table, ns=(before + 1, before + 1))
    assert STAND_IN(table, {}).field("START")[0] == 100.0


def test_no_or_too_many_rows(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    messages = []
    for function in (ORIGINAL, STAND_IN):
        with pytest.raises(MissingRowError) as caught:
            function(table, {"cenwave": 7}, exactly_one=True)
        function(table, {"segment": "FUVA"}, exactly_one=True)
        messages.append((str(caught.value), capsys.readouterr().out))
    assert messages[0] == messages[1]
    assert "more than one matching row" in messages[0][1]


def test_an_empty_table_and_a_missing_file(tmp_path: Path, table: str) -> None:
    empty = _table(tmp_path / "empty_tab.fits", rows=0)
    assert ORIGINAL(empty, {}) is None
    assert STAND_IN(empty, {}) is None
    for function in (ORIGINAL, STAND_IN):
        with pytest.raises(FileNotFoundError):
            function(str(tmp_path / "none.fits"), {})


def test_columns(table: str) -> None:
    for name in ("has_lines", "HAS_LINES", "nothing"):
        assert FAST_FIND(table, name) == FIND(table, name)
        assert FAST_FIND(STAND_IN(table, {}), name) == FIND(ORIGINAL(table, {}), name)


FORMS: dict[str, tuple[fits.Column, dict[str, Any]]] = {
    "scaled": (fits.Column("START", "D", array=np.arange(5.0)), {"TSCAL4": 0.5, "TZERO4": 2.0}),
    "scaled whole numbers": (fits.Column("START", "J", array=np.arange(5)), {"TSCAL4": 0.25}),
    "unsigned": (fits.Column("START", "I", array=np.arange(5) - 32768), {"TZERO4": 32768}),
    "scaled by one": (
        fits.Column("START", "D", array=np.arange(5.0)),
        {"TSCAL4": 1.0, "TZERO4": 0.0},
    ),
    "null": (fits.Column("START", "J", array=np.arange(5)), {"TNULL4": 2}),
    "vector": (fits.Column("START", "3E", array=np.arange(15.0).reshape(5, 3)), {}),
    "bits": (fits.Column("START", "5X", array=np.eye(5, dtype=bool)), {}),
    "variable length": (
        fits.Column("START", "PE()", array=np.array([np.arange(n) for n in range(5)], object)),
        {},
    ),
    "text": (fits.Column("START", "4A", array=["0", "1", "2", "3", "4"]), {}),
    "of one name": (fits.Column("cenwave", "J", array=np.arange(5)), {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_tables_of_other_forms(table: str, form: str) -> None:
    column, cards = FORMS[form]
    path = Path(table)
    with fits.open(table, memmap=False) as hdus:
        columns = list(hdus[1].columns)
        columns[3] = column
        path.unlink()
        fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    for keyword, value in cards.items():
        fits.setval(path, keyword, value=value, ext=1)
    for wanted in ({}, {"segment": "FUVA"}, {}, {column.name: (np.less, 3)}, {"segment": "FUVA"}):
        expected, found = (_read(function, table, wanted) for function in (ORIGINAL, STAND_IN))
        assert type(found) is type(expected)
        assert isinstance(expected, dict) == isinstance(found, dict)
        if isinstance(expected, dict):
            assert found == expected


def _read(function: Any, table: str, wanted: dict[str, Any]) -> Any:
    """Read all columns of the rows, first without a look, then after a change in place.

    Or an error.
    """
    try:
        rows = function(table, wanted)
        values = {name: [repr(value) for value in rows.field(name)] for name in rows.names}
        rows.field(3)[:1] = rows.field(3)[1:2]
        return values | {
            "changed": repr(rows.field(3)),
            "type": [str(rows.field(name).dtype) for name in rows.names],
        }
    except (OSError, IndexError, KeyError, TypeError, ValueError) as error:
        return error


def test_a_filter_that_is_no_comparison_of_rows(table: str) -> None:
    for wanted in ({"image": 1.0}, {"image": (np.less, 5), "segment": "FUVA"}):
        errors = []
        for function in (ORIGINAL, STAND_IN):
            with pytest.raises((IndexError, ValueError)) as caught:
                function(table, wanted)
            errors.append((type(caught.value), str(caught.value)))
        assert errors[0] == errors[1]
