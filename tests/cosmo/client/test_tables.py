"""Tables as data frames, and what is said where a package is missing."""

import sys

import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable

from cosmo.client import to_dataframe
from shared.errors import PermanentError
from tests.cosmo.client.scripted import Scripted


def _table() -> QTable:
    nulls = [False, True]
    table = QTable()
    table["exptime"] = MaskedColumn([1.5, 0.0], mask=nulls, unit="s")
    table["flash"] = MaskedColumn([1, 0], mask=nulls)
    table["found"] = MaskedColumn([True, False], mask=nulls)
    table["segment"] = np.array(["FUVA", ""])
    return QTable(table)


def test_a_data_frame_has_missing_values_and_units() -> None:
    frame = to_dataframe(_table())
    assert frame.dtypes.astype(str).to_dict() | {"segment": ""} == {
        "exptime": "float64",
        "flash": "Int64",
        "found": "boolean",
        "segment": "",
    }
    assert frame.isna().sum().to_dict() == {"exptime": 1, "flash": 1, "found": 1, "segment": 0}
    assert frame["exptime"][0] == 1.5
    assert frame.attrs["units"] == {"exptime": "s"}


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(PermanentError, match="pip install pandas"):
        to_dataframe(_table())


def test_without_astropy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "astropy.table", None)
    import httpx

    client = Scripted(lambda _: httpx.Response(200, content=b"<VOTABLE/>"))
    with pytest.raises(PermanentError, match="pip install astropy"):
        client.table("headers")
