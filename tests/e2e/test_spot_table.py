"""CalCOS takes the table of hot spots that a monitor made, and flags what it says while it says so."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from services.monitor.monitors.parts import spot_tables
from services.monitor.monitors.parts.hot_spots import Spot
from services.monitor.monitors.parts.spot_deliveries import spot_rows
from shared.cos.detector import ACTIVE_AREAS, X_BINNING, Y_BINNING

pytestmark = pytest.mark.e2e

_RAW = "ldfd01vnq_rawtag_a.fits"
_ROW = 226
"""Row of superpixels with the most events of the exposure, which was taken on MJD 57934."""


def _spot(x: int, after: float, before: float, segment: str = "FUVA") -> Spot:
    return Spot(segment, x, x + 1, _ROW, _ROW + 1, after + 1.0, before - 1.0, after, before, 0.1, 0.01, 30.0)


_FLAGGED = (_spot(396, 57900.0, 57940.0), _spot(416, 57933.0, np.inf), _spot(405, -np.inf, 58000.0))
_NOT_FLAGGED = (_spot(348, 57800.0, 57933.0), _spot(415, 57936.0, np.inf), _spot(380, 57900.0, 57940.0, "FUVB"))


def _prepare(data_dir: Path, folder: Path) -> None:
    """Put a raw file that only asks for the flags, and its references with the new table, into a folder."""
    with fits.open(data_dir / "ldfd01010" / "raw" / f"{_RAW}.gz") as hdus:
        header = hdus[0].header
        for keyword in [keyword for keyword, value in header.items() if value == "PERFORM"]:
            header[keyword] = "PERFORM" if keyword in ("DQICORR", "PHACORR") else "OMIT"
        header["ASN_ID"] = header["ASN_TAB"] = "NONE"
        header["SPOTTAB"] = "lref$cosmo_spot.fits"
        hdus.writeto(folder / _RAW)
    for path in (data_dir / "references").glob("*.fits.gz"):
        with gzip.open(path) as packed, (folder / path.stem).open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    spots = [spot for pair in zip(_FLAGGED, _NOT_FLAGGED, strict=True) for spot in pair]
    content = spot_tables.table_bytes("SPOTTAB", "FUV", spot_rows(spots), 59000.0)
    assert spot_tables.check("SPOTTAB", content) == []
    (folder / "cosmo_spot.fits").write_bytes(content)


def test_calcos_flags_what_the_table_says(data_dir: Path, tmp_path: Path) -> None:
    _prepare(data_dir, tmp_path)
    command = [sys.executable, "-c", f"import sys, calcos; sys.exit(calcos.calcos({_RAW!r}, outdir='products'))"]
    environment = {**os.environ, "lref": f"{tmp_path}/"}
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    assert "SPOTTAB" in run.stdout
    assert "PHAMIN and PHAMAX" not in run.stdout  # it warns where they are not those of the pulse-height limits
    with fits.open(tmp_path / "products" / "ldfd01vnq_corrtag_a.fits") as hdus:
        events = hdus["EVENTS"].data
        x, y = (np.rint(events[name]).astype(int) for name in ("XCORR", "YCORR"))
        hot = (events["DQ"] & spot_tables.DQ_BACKGROUND) != 0
    in_row = y // Y_BINNING == _ROW
    expected = in_row & np.isin(x // X_BINNING, [spot.x0 for spot in _FLAGGED])
    others = in_row & np.isin(x // X_BINNING, [spot.x0 for spot in _NOT_FLAGGED])
    assert np.count_nonzero(expected) > 100
    assert np.count_nonzero(others) > 100
    assert np.array_equal(hot & ACTIVE_AREAS["FUVA"].contains(x, y), expected)
