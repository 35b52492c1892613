"""Real CalCOS with one reference table that COSMO made: which events it flags."""

import gzip
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from shared.cos.detector import ACTIVE_AREAS, X_BINNING, Y_BINNING

__all__ = ["ROW", "Flags", "calibrate"]

_RAW = "ldfd01vnq_rawtag_a.fits"

ROW = 226
"""Row of superpixels with the most events of the exposure, which was taken at level 167 on MJD
57934.
"""


@dataclass(frozen=True)
class Flags:
    """What CalCOS printed, and of each event of FUVA, shape (n,): its superpixel and its flags."""

    output: str
    x: np.ndarray
    y: np.ndarray
    dq: np.ndarray
    active: np.ndarray

    def check(self, flag: int, flagged: list[int], others: list[int]) -> None:
        """Hold a flag against the columns of `ROW` that alone shall have it.

        Others have events too, without it.
        """
        expected, spared = (
            (self.y == ROW) & np.isin(self.x, columns) for columns in (flagged, others)
        )
        assert np.count_nonzero(expected) > 100
        assert np.count_nonzero(spared) > 100
        # The table of bad pixels flags a corner outside the active area with some of the same
        # values.
        assert np.array_equal(((self.dq & flag) != 0) & self.active, expected)


def calibrate(data_dir: Path, folder: Path, keyword: str, content: bytes) -> Flags:
    """Run CalCOS on a raw file that only asks for the flags, with a new table among its references.

    Parameters
    ----------
    data_dir
        Real data.
    folder
        Folder to do it in.
    keyword, content
        What the new table is for, and its bytes.
    """
    with fits.open(data_dir / "ldfd01010" / "raw" / f"{_RAW}.gz") as hdus:
        header = hdus[0].header
        for switch in [name for name, value in header.items() if value == "PERFORM"]:
            header[switch] = "PERFORM" if switch in ("DQICORR", "PHACORR") else "OMIT"
        header["ASN_ID"] = header["ASN_TAB"] = "NONE"
        header[keyword] = "lref$cosmo_table.fits"
        hdus.writeto(folder / _RAW)
    for path in (data_dir / "references").glob("*.fits.gz"):
        with gzip.open(path) as packed, (folder / path.stem).open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    (folder / "cosmo_table.fits").write_bytes(content)
    command = [
        sys.executable,
        "-c",
        f"import sys, calcos; sys.exit(calcos.calcos({_RAW!r}, outdir='products'))",
    ]
    environment = {**os.environ, "lref": f"{folder}/"}
    run = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    with fits.open(folder / "products" / "ldfd01vnq_corrtag_a.fits") as hdus:
        events = hdus["EVENTS"].data
        x, y = (np.rint(events[name]).astype(int) for name in ("XCORR", "YCORR"))
        active = ACTIVE_AREAS["FUVA"].contains(x, y)
        return Flags(run.stdout, x // X_BINNING, y // Y_BINNING, np.array(events["DQ"]), active)
