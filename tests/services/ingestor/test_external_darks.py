"""Dark rates of others: bad measurements cost themselves, and bad files no memory."""

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from services.ingestor.datasets import check_readable
from shared.errors import PermanentError
from tests.services.ingestor.bench import extract_file, read_file, rows_of

_GOOD = {
    "rootname": "LDX001AAQ",
    "detector": "FUVA",
    "date": 2017.5,
    "dark": 2e-6,
    "ta_dark": 3e-6,
    "latitude": 10.0,
    "longitude": 20.0,
    "sun_lat": 5.0,
    "sun_lon": 30.0,
    "temp": 25.0,
}


def _write(folder: Path, items: Any) -> Path:
    path = folder / "orbital_info.json"
    path.write_text(json.dumps(items))
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"detector": "FUVC"}, "'FUVC' as detector"),
        ({"rootname": 5}, "5 as rootname"),
        ({"date": "soon"}, "'soon' as date"),
        ({"date": 1e20}, "1e+20 as date"),
        ({"date": float("nan")}, "nan as date"),
        ({"dark": None}, "None as dark"),
        ({"dark": {"value": 1}}, "as dark"),
        ({"dark": True}, "True as dark"),
    ],
)
def test_measurement_that_is_none_costs_itself(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    content = read_file(_write(tmp_path, [_GOOD, {**_GOOD, **change}, _GOOD]))
    assert len(rows_of(content.rows, "darks")) == 2
    (problem,) = content.problems
    assert problem.startswith(
        "orbital_info.json: 1 of 3 measurements are no dark rate and left out (measurement 2: "
    )
    assert reason in problem


@pytest.mark.parametrize("value", [None, "N/A", float("nan"), [], "hot", True])
@pytest.mark.parametrize("name", ["temp", "latitude", "sun_lon", "ta_dark"])
def test_number_that_is_none_costs_itself(tmp_path: Path, name: str, value: Any) -> None:
    good, odd = rows_of(extract_file(_write(tmp_path, [_GOOD, {**_GOOD, name: value}])), "darks")
    also = {"saa_distance"} if name == "latitude" else set()
    assert {column for column in good if good[column] != odd[column]} == {name, *also}
    assert odd[name] is None


def test_numbers_written_as_text_are_read(tmp_path: Path) -> None:
    text = {name: str(value) for name, value in _GOOD.items()}
    good, other = rows_of(extract_file(_write(tmp_path, [_GOOD, text])), "darks")
    assert good == other


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" " * (128 << 20), "more than 16 MB of JSON"),
        (b"[" + b"[]," * (10 << 20), "more than 16 MB of JSON"),
        (b"[" * 1_000_000, "not JSON"),
        (b'{"a": 1}', "not a list"),
        (b"\xff\xfe\xfd", "not JSON"),
    ],
)
def test_bombs_are_refused_before_they_unpack(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "orbital_info.json.gz"
    path.write_bytes(gzip.compress(content, 1))
    tracemalloc.start()
    with pytest.raises(PermanentError, match=f"orbital_info.json.gz: {reason}"):
        check_readable([read_file(path)])
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orbital_info.json.gz"
    path.write_bytes(gzip.compress(json.dumps([_GOOD] * 1000).encode())[:-50])
    with pytest.raises(PermanentError, match="damaged gzip file"):
        check_readable([read_file(path)])
