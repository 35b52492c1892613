"""CalCOS takes the table of hot spots that a monitor made, and flags what it says while it says
so.
"""

from pathlib import Path

import numpy as np
import pytest

from services.monitor.monitors.superdark import tables as spot_tables
from services.monitor.monitors.superdark.deliveries import spot_rows
from services.monitor.monitors.superdark.hot_spots import Spot
from tests.e2e.flagging import ROW, calibrate

pytestmark = pytest.mark.e2e


def _spot(x: int, after: float, before: float, segment: str = "FUVA") -> Spot:
    return Spot(
        segment, x, x + 1, ROW, ROW + 1, after + 1.0, before - 1.0, after, before, 0.1, 0.01, 30.0
    )


_FLAGGED = (_spot(396, 57900.0, 57940.0), _spot(416, 57933.0, np.inf), _spot(405, -np.inf, 58000.0))
_NOT_FLAGGED = (
    _spot(348, 57800.0, 57933.0),
    _spot(415, 57936.0, np.inf),
    _spot(380, 57900.0, 57940.0, "FUVB"),
)


def _content() -> bytes:
    spots = [spot for pair in zip(_FLAGGED, _NOT_FLAGGED, strict=True) for spot in pair]
    content = spot_tables.table_bytes("SPOTTAB", "FUV", spot_rows(spots), 59000.0)
    assert spot_tables.check("SPOTTAB", content) == []
    return content


def test_calcos_flags_what_the_table_says(data_dir: Path, tmp_path: Path) -> None:
    flags = calibrate(data_dir, tmp_path, "SPOTTAB", _content())
    assert "SPOTTAB" in flags.output
    assert (
        "PHAMIN and PHAMAX" not in flags.output
    )  # it warns where they are not those of the pulse-height limits
    flags.check(
        spot_tables.DQ_BACKGROUND,
        *([spot.x0 for spot in some] for some in (_FLAGGED, _NOT_FLAGGED)),
    )
