"""CalCOS takes the gain sag table that a monitor made, and flags what it says."""

from pathlib import Path

import numpy as np
import pytest

from services.monitor.library import gain_sag_tables as sag_tables
from tests.e2e.flagging import ROW, calibrate

pytestmark = pytest.mark.e2e

_BEFORE, _AFTER = 57000.0, 58500.0
_FLAGGED = ((167.0, 396.0, _BEFORE), (175.0, 416.0, _BEFORE))
_NOT_FLAGGED = ((167.0, 348.0, _AFTER), (163.0, 415.0, _BEFORE))
"""Level, column and date of superpixels: those sagged at the exposure's level or a higher one and
before it count.
"""


def _content() -> bytes:
    level, x, mjd = np.array(_FLAGGED + _NOT_FLAGGED).T
    columns = {
        "segment": np.full(len(x), "FUVA", dtype=object),
        "hvlevel": level,
        "x": x,
        "y": np.full(len(x), float(ROW)),
        "mjd": mjd,
    }
    return sag_tables.table_bytes(sag_tables.build(columns), 59000.0, blue=False)


def test_calcos_flags_what_the_table_says(data_dir: Path, tmp_path: Path) -> None:
    flags = calibrate(data_dir, tmp_path, "GSAGTAB", _content())
    columns = ([int(x) for _, x, _ in some] for some in (_FLAGGED, _NOT_FLAGGED))
    flags.check(sag_tables.DQ_GAIN_SAG, *columns)
