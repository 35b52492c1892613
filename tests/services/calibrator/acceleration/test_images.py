"""Count and flat-fielded images are written as the original writes them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.acceleration.images import REPLACEMENT

from .conftest import pair

ORIGINAL, STAND_IN = pair(REPLACEMENT, "writeImages")
SHAPE = (64, 96)


def _headers() -> list[fits.Header]:
    primary, events = fits.Header(), fits.Header()
    primary["ROOTNAME"], primary["FILENAME"] = "lxxx01abq", "lxxx01abq_corrtag_a.fits"
    events["EXTNAME"], events["EXPTIME"], events["TCTYP2"] = "EVENTS", 100.0, "WAVE"
    error, flags = fits.Header(), fits.Header()
    error["EXTNAME"], flags["EXTNAME"] = "ERR", "DQ"
    return [primary, events, error, flags]


@pytest.mark.parametrize("exptime", [100.0, np.float64(33.3), np.float32(7.1), 0.0])
@pytest.mark.parametrize("number", [0, 1, 4000])
@pytest.mark.parametrize("order", ["<", ">"])
def test_files_are_the_same(tmp_path: Path, exptime: float, number: int, order: str) -> None:
    random = np.random.default_rng(number)
    x = random.normal(40, 20, number).astype(f"{order}f4")
    y = random.normal(30, 12, number).astype(f"{order}f4")
    epsilon = random.choice([0.0, 0.97, 1.0, 1.31], number).astype(f"{order}f4")
    dq = random.choice([0, 4, 64, 512], number).astype(f"{order}i2")
    flags = random.integers(0, 1024, SHAPE).astype(f"{order}i2")
    for function, folder in ((ORIGINAL, tmp_path / "original"), (STAND_IN, tmp_path / "fast")):
        folder.mkdir()
        headers = _headers()
        names = str(folder / "a_counts_a.fits"), str(folder / "a_flt_a.fits")
        function(x, y, epsilon, dq, headers[0], headers, flags.copy(), SHAPE, 0, exptime, *names)
    for path in (tmp_path / "original").iterdir():
        assert path.read_bytes() == (tmp_path / "fast" / path.name).read_bytes(), path.name


def _write(function: Any, folder: Path, x: Any, flags: Any, headers: list[fits.Header]) -> Any:
    """Write both images of ten events; returns what they are, or the error."""
    y, dq, epsilon = (
        np.arange(10, dtype=np.float32),
        np.zeros(10, np.int16),
        np.ones(10, np.float32),
    )
    folder.mkdir(exist_ok=True)
    names = [str(folder / name) for name in ("a_counts_a.fits", "a_flt_a.fits")]
    try:
        function(x, y, epsilon, dq, headers[0], headers, flags, SHAPE, 0, 100.0, *names)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
        return type(error), str(error).replace(str(folder), "")
    return [Path(name).read_bytes() for name in names]


@pytest.mark.parametrize(
    "x", [np.arange(10.0), np.arange(10, dtype=np.int16), np.arange(9, dtype=np.float32)]
)
@pytest.mark.parametrize("flags", ["i2", "u2", "i4"])
def test_events_and_flags_of_other_types(tmp_path: Path, x: Any, flags: str) -> None:
    found = [
        _write(function, tmp_path / name, x, np.full(SHAPE, 8, flags), _headers())
        for function, name in ((ORIGINAL, "original"), (STAND_IN, "fast"))
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("number", [3, 4, 5])
def test_number_of_headers(tmp_path: Path, number: int) -> None:
    x, headers = np.arange(10, dtype=np.float32), [*_headers(), fits.Header()][:number]
    found = [
        _write(function, tmp_path / name, x, np.zeros(SHAPE, np.int16), headers)
        for function, name in ((ORIGINAL, "original"), (STAND_IN, "fast"))
    ]
    assert found[0] == found[1]


def test_a_file_that_is_there_is_refused_alike(tmp_path: Path) -> None:
    (tmp_path / "a_flt_a.fits").write_bytes(b"x")  # an empty one is written over
    found = []
    for function in (ORIGINAL, STAND_IN):
        found.append(
            _write(
                function,
                tmp_path,
                np.arange(10, dtype=np.float32),
                np.zeros(SHAPE, np.int16),
                _headers(),
            )
        )
        (tmp_path / "a_counts_a.fits").unlink()
    assert found[0] == found[1]
    assert found[0][0] is OSError
