"""The real CalCOS does what corrected LAMPTABs and WCPTABs say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.monitor.library.revised_tables import read_active
from services.monitor.monitors import monitors
from services.monitor.monitors.osm_shifts.search_boxes import read_boxes
from tests.services.monitor.monitors.flashes import flashes_of, made_up
from tests.services.monitor.monitors.recalibration import Exposure

pytestmark = pytest.mark.e2e

_SHIFT = -75.0
"""Beyond the box, which reaches from -60 to 60 pix."""
_MEDIAN = -55.0
"""Of the exposures before it, at the side of the box."""


def test_a_search_that_failed_succeeds_and_shifts_move(tmp_path: Path) -> None:
    exposure = Exposure(tmp_path, _SHIFT)
    names: dict[str, Any] = {kind.lower(): exposure.used[kind] for kind in ("LAMPTAB", "WCPTAB")}
    rows = [
        made_up(number, stripe, x_shift=_MEDIAN, fppos=exposure.plan.fppos, **names)
        for number in range(1, 11)
        for stripe in ("NUVA", "NUVB", "NUVC")
    ]
    inputs = {
        "flashes": flashes_of(rows),
        "boxes": read_boxes([exposure.path("WCPTAB")]),
        "empty": {name: np.empty(0) for name in ("file_id", "rootname", "mjd", "life_adj")},
        "LAMPTAB": read_active([exposure.path("LAMPTAB")]),
        "WCPTAB": read_active([exposure.path("WCPTAB")]),
    }
    artifacts = monitors()["nuv-osm-shift"].compute(inputs).artifacts
    tables = {one.kind: one for one in artifacts if one.kind != "outliers"}
    assert all(one.detail["ready"] for one in tables.values())

    lost = exposure.rows(exposure.calibrate("before"), "lampflash")
    assert not lost["SPEC_FOUND"].any()
    # FPOFFSET is 0, where FP_PIXEL_SHIFT of the simulator is 0: SHIFT_DISP is the shift.
    searched = exposure.calibrate("searched", tables["WCPTAB"])
    flashes = exposure.rows(searched, "lampflash")
    assert flashes["SPEC_FOUND"].all()
    assert flashes["SHIFT_DISP"] == pytest.approx(_SHIFT, abs=0.3)
    # FP_PIXEL_SHIFT is -55 now: 20 pix to the left of the template, and the same wavelengths.
    moved = exposure.calibrate("moved", tables["LAMPTAB"])
    flashes = exposure.rows(moved, "lampflash")
    assert flashes["SPEC_FOUND"].all()
    assert flashes["SHIFT_DISP"] - _MEDIAN == pytest.approx(_SHIFT - _MEDIAN, abs=0.3)
    before, after = (exposure.rows(one, "x1d")["WAVELENGTH"] for one in (searched, moved))
    assert np.abs(after - before).max() < 0.3 * np.abs(np.diff(before, axis=1)).mean()
