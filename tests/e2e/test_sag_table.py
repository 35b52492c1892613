"""CalCOS takes the gain sag table that a monitor made, and flags what it says."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from services.monitor.monitors.parts import sag_tables
from shared.cos.detector import ACTIVE_AREAS, X_BINNING, Y_BINNING

pytestmark = pytest.mark.e2e

_RAW = "ldfd01vnq_rawtag_a.fits"
_ROW = 226
"""Row of superpixels with the most events of the exposure; its level is 167, its MJD 57934."""

_BEFORE, _AFTER = 57000.0, 58500.0
_FLAGGED = ((167.0, 396.0, _BEFORE), (175.0, 416.0, _BEFORE))
_NOT_FLAGGED = ((167.0, 348.0, _AFTER), (163.0, 415.0, _BEFORE))
"""Level, column and date of superpixels: those sagged at the exposure's level or a higher one and before it count."""


def _content() -> bytes:
    level, x, mjd = np.array(_FLAGGED + _NOT_FLAGGED).T
    columns = {
        "segment": np.full(len(x), "FUVA", dtype=object),
        "hvlevel": level,
        "x": x,
        "y": np.full(len(x), float(_ROW)),
        "mjd": mjd,
    }
    return sag_tables.table_bytes(sag_tables.build(columns), 59000.0, blue=False)


def _prepare(data_dir: Path, folder: Path) -> None:
    """Put a raw file that only asks for the flags, and its references with the new table, into a folder."""
    with fits.open(data_dir / "ldfd01010" / "raw" / f"{_RAW}.gz") as hdus:
        header = hdus[0].header
        for keyword in [keyword for keyword, value in header.items() if value == "PERFORM"]:
            header[keyword] = "PERFORM" if keyword in ("DQICORR", "PHACORR") else "OMIT"
        header["ASN_ID"] = header["ASN_TAB"] = "NONE"
        header["GSAGTAB"] = "lref$cosmo_gsag.fits"
        hdus.writeto(folder / _RAW)
    for path in (data_dir / "references").glob("*.fits.gz"):
        with gzip.open(path) as packed, (folder / path.stem).open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    (folder / "cosmo_gsag.fits").write_bytes(_content())


def test_calcos_flags_what_the_table_says(data_dir: Path, tmp_path: Path) -> None:
    _prepare(data_dir, tmp_path)
    command = [sys.executable, "-c", f"import sys, calcos; sys.exit(calcos.calcos({_RAW!r}, outdir='products'))"]
    environment = {**os.environ, "lref": f"{tmp_path}/"}
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    with fits.open(tmp_path / "products" / "ldfd01vnq_corrtag_a.fits") as hdus:
        events = hdus["EVENTS"].data
        x, y = (np.rint(events[name]).astype(int) for name in ("XCORR", "YCORR"))
        sagged = (events["DQ"] & sag_tables.DQ_GAIN_SAG) != 0
    in_row = y // Y_BINNING == _ROW
    expected = in_row & np.isin(x // X_BINNING, [column for _, column, _ in _FLAGGED])
    others = in_row & np.isin(x // X_BINNING, [column for _, column, _ in _NOT_FLAGGED])
    assert np.count_nonzero(expected) > 100
    assert np.count_nonzero(others) > 100
    # The table of bad pixels flags a corner outside the active area with the same value.
    assert np.array_equal(sagged & ACTIVE_AREAS["FUVA"].contains(x, y), expected)
