"""Count and flat-fielded images are written as the original writes them."""

from pathlib import Path

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
