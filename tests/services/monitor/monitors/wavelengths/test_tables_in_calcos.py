"""The real CalCOS does what corrected DISPTABs say, and lines come back where they belong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.monitor.framework.declaration import RunOutput
from services.monitor.library.revised_tables import read_active
from services.monitor.monitors import monitors
from simulator.references.lines import write_line_list
from tests.services.ingestor.bench import extract_file, rows_of
from tests.services.monitor.monitors.flashes import value_of
from tests.services.monitor.monitors.recalibration import Exposure
from tests.services.monitor.monitors.wavelengths.test_wavelengths import columns_of

pytestmark = pytest.mark.e2e

_OFFSET = 6.0
"""Pixels by which the target's spectrum is off that of the lamp."""
_STRETCH = 1e-3
"""Pixels per pixel by which both are stretched about the middle."""


def _compute(exposure: Exposure, products: Path) -> RunOutput:
    """Return what the monitor finds in an exposure that was taken five times."""
    rows: list[dict[str, Any]] = []
    for kind in ("x1d", "lampflash"):
        path = products / f"{exposure.plan.rootname}_{kind}.fits"
        measured = rows_of(extract_file(path, exposure.references), "line_positions")
        for number in range(5):
            root = f"ls000000{number}"
            rows += [{**row, "file_id": 2 * number, "rootname": root} for row in measured]
    inputs = {
        "lines": columns_of(rows),
        "DISPTAB": read_active([exposure.path("DISPTAB")]),
    }
    return monitors()["wavelength"].compute(inputs)


def _means(found: RunOutput, quantity: str, source: str) -> Sequence[tuple[float, float]]:
    return [
        value_of(found.values, quantity, "ls0000000", stripe, source)
        for stripe in ("NUVA", "NUVB", "NUVC")
    ]


def test_wavelengths_move_by_the_zero_point(tmp_path: Path) -> None:
    exposure = Exposure(tmp_path, 2.0, wavelength_offset=_OFFSET, wavelength_stretch=_STRETCH)
    write_line_list(exposure.references, (exposure.plan.target,))
    name = exposure.plan.target.name
    before = exposure.calibrate("before")
    found = _compute(exposure, before)
    # The shift that CalCOS takes out is that of the lamp, so that its lines show the stretch alone.
    for source, offset in ((name, _OFFSET), ("lamp", 0.0)):
        for residual, _ in _means(found, "residual", source):
            assert residual == pytest.approx(offset, abs=0.6)
    for slope, error in _means(found, "slope", name):
        assert abs(slope - 1000.0 * _STRETCH) < 3.0 * error
        assert error < 0.4
    (table,) = found.artifacts
    assert table.detail["ready"]
    changes = table.detail["difference"]["changes"]
    assert [one["segment"] for one in changes] == ["NUVA", "NUVB", "NUVC"]
    after = exposure.calibrate("after", table)
    old, new = (exposure.rows(one, "x1d")["WAVELENGTH"] for one in (before, after))
    for stripe, change in enumerate(changes):
        scale = np.gradient(old[stripe])
        moved = (new[stripe] - old[stripe]) / scale
        assert moved == pytest.approx(-change["median"], abs=0.05)
    for residual, _ in _means(_compute(exposure, after), "residual", name):
        assert residual == pytest.approx(0.0, abs=0.1)
