"""Drifts of real exposures: the shift of a flash less that of the first, over the time between.

SHIFT_DISP and TIME are copied from the tables, times since moves from the schedule reports; the
arithmetic is done here.
"""

from pathlib import Path

import numpy as np
import pytest

from services.monitor.framework.declaration import RunOutput
from services.monitor.monitors import monitors
from tests.services.ingestor.bench import extract_file, rows_of
from tests.services.monitor.monitors.flashes import real_flashes, value_of

_REPORTS = ("100047aa", "122687b1", "152717t0", "153067a8", "162567b1")
_SHIFTS = {
    ("ld1ce1rcq", "FUVA"): ((-430.78330, 6.97600), (-433.96118, 2406.52808)),
    ("ld1ce1rcq", "FUVB"): ((-430.17172, 6.72000), (-433.32562, 2406.81592)),
    ("ld1ce4dkq", "FUVA"): ((-249.85720, 6.84800), (-249.85033, 2406.62402)),
    ("lbhx26fmq", "FUVA"): ((-12.818924, 4.12800), (-13.602869, 604.06403)),
    ("lb4c10niq", "NUVA"): ((-23.67234, 4.32000), (-23.85408, 2404.35205)),
    ("lb4c10niq", "NUVB"): ((-23.992914, 4.32000), (-23.90261, 2404.35205)),
    ("lb4c10niq", "NUVC"): ((-24.230333, 4.32000), (-24.0943, 2404.35205)),
    ("ldfd01vnq", "FUVA"): ((-520.1133, 4.28800), (-521.4479, 604.32001), (-522.1367, 1113.02405)),
    ("ldfd01vpq", "FUVA"): ((-281.97266, 4.16000), (-281.8633, 1114.01599)),
}
"""SHIFT_DISP (pix) and TIME (s) of each flash."""

_SINCE_MOVE = {
    "ld1ce1rcq": (186400.0, 186400.0),
    "ld1ce4dkq": (34064.0, 34064.0),
    "lbhx26fmq": (128.0, 581.0),
    "lb4c10niq": (21024.0, 17086.0),
}
"""Columns Tsince OSM1 and OSM2 of the reports, s; of the others there is no report."""

_ACROSS = {
    ("ld1ce1rcq", "FUVA"): (0.39116153, 0.36489084),
    ("ld1ce1rcq", "FUVB"): (0.31965405, 0.5425264),
}
"""SHIFT_XDISP, pix."""


def _moves(data_dir: Path) -> dict[str, np.ndarray]:
    rows = [
        row
        for report in _REPORTS
        for row in rows_of(extract_file(data_dir / "sms" / f"{report}.txt"), "sms")
    ]
    return {
        "rootname": np.array([row["rootname"] for row in rows], dtype=object),
        "tsinceosm1": np.array([row["tsinceosm1"] for row in rows], dtype=float),
        "tsinceosm2": np.array([row["tsinceosm2"] for row in rows], dtype=float),
    }


def _compute(detector: str, data_dir: Path) -> RunOutput:
    inputs = {"flashes": real_flashes(data_dir), "moves": _moves(data_dir)}
    return monitors()[f"{detector.lower()}-osm-drift"].compute(inputs)


@pytest.mark.parametrize("detector", ["FUV", "NUV"])
def test_drifts_and_times_since_moves(data_dir: Path, detector: str) -> None:
    found = _compute(detector, data_dir)
    compared = 0
    for (root, segment), flashes in _SHIFTS.items():
        if not segment.startswith(detector):
            continue
        (first, start), *later = flashes
        for number, (shift, time) in enumerate(later, 2):
            moves = _SINCE_MOVE.get(root)
            key = (root, segment, f"flash {number}" + ("" if moves else ", pending"))
            drift, error = value_of(found.values, "drift", *key)
            assert drift == pytest.approx((shift - first) / (time - start), abs=2e-7)
            assert 1e-5 < error < 5e-4
            mechanisms = ("osm1",) if detector == "FUV" else ("osm1", "osm2")
            for name, since in zip(mechanisms, moves or (), strict=False):
                measured, _ = value_of(found.values, f"since_{name}", *key)
                assert measured == pytest.approx(since + time, abs=1e-3)
            compared += 1
    assert compared == {"FUV": 7, "NUV": 3}[detector]
    assert found.findings == []
    assert not any(values.outlier.any() for values in found.values)


def test_numbers_of_the_samples(data_dir: Path) -> None:
    """The arithmetic above, in numbers."""
    fuv, nuv = (_compute(detector, data_dir).values for detector in ("FUV", "NUV"))
    for values, root, segment, region, expected in (
        (fuv, "ld1ce1rcq", "FUVA", "flash 2", -1.324367e-3),
        (fuv, "ld1ce1rcq", "FUVB", "flash 2", -1.314073e-3),
        (fuv, "ld1ce4dkq", "FUVA", "flash 2", 2.861290e-6),
        (fuv, "lbhx26fmq", "FUVA", "flash 2", -1.306714e-3),
        (nuv, "lb4c10niq", "NUVA", "flash 2", -7.572391e-5),
        (nuv, "lb4c10niq", "NUVB", "flash 2", 3.762592e-5),
        (nuv, "lb4c10niq", "NUVC", "flash 2", 5.668008e-5),
        (fuv, "ldfd01vnq", "FUVA", "flash 2, pending", -2.224206e-3),
        (fuv, "ldfd01vnq", "FUVA", "flash 3, pending", -1.824995e-3),
        (fuv, "ldfd01vpq", "FUVA", "flash 2, pending", 9.852132e-5),
    ):
        assert value_of(values, "drift", root, segment, region)[0] == pytest.approx(
            expected, rel=1e-6
        )
    for name, expected in (("osm1", 23428.352), ("osm2", 19490.352)):
        key = ("lb4c10niq", "NUVA", "flash 2")
        assert value_of(nuv, f"since_{name}", *key)[0] == pytest.approx(expected, abs=1e-3)
    for (root, segment), (first, second) in _ACROSS.items():
        start, time = (flash[1] for flash in _SHIFTS[root, segment])
        across, _ = value_of(fuv, "drift_xdisp", root, segment, "flash 2")
        assert across == pytest.approx((second - first) / (time - start), abs=1e-9)


def test_upstream_mixes_segments(data_dir: Path) -> None:
    """The first row of the table is subtracted from all others, and divided by TIME.

    FUVB of ld1ce1rcq: (-430.17172 + 430.78330) / 6.72 at its first flash.
    """
    values = _compute("FUV", data_dir).values
    first = value_of(values, "drift_upstream", "ld1ce1rcq", "FUVB", "flash 1")[0]
    assert first == pytest.approx((-430.17172 + 430.78330) / 6.72, abs=1e-5)
    second = value_of(values, "drift_upstream", "ld1ce1rcq", "FUVA", "flash 2")[0]
    assert second == pytest.approx((-433.96118 + 430.78330) / 2406.52808, abs=1e-7)


def test_pending_and_copied_flashes_enter_no_statistic(data_dir: Path) -> None:
    statistics = _compute("FUV", data_dir).statistics
    assert {name: periods["mission"]["n"] for name, periods in statistics.items()} == {
        "G130M LP3 drift": 4,
        "G130M LP3 drift_xdisp": 4,
        "G140L LP2 drift": 1,
        "G140L LP2 drift_xdisp": 1,
        "left out, copied: drift": 1,
        "left out, pending: drift": 3,
    }
