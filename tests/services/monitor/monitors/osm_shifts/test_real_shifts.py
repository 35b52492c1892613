"""Shifts of real exposures: what CalCOS wrote, less FP_PIXEL_SHIFT of the lamp template table.

Both numbers are copied from the files; the arithmetic is done here.
"""

from pathlib import Path

import numpy as np
import pytest

from services.monitor.framework.declaration import Inputs, RunOutput
from services.monitor.library.revised_tables import read_active
from services.monitor.monitors import monitors
from services.monitor.monitors.osm_shifts.search_boxes import SearchBoxes, read_boxes
from tests.services.monitor.monitors.flashes import Flashes, real_flashes, value_of

# SHIFT_DISP of each flash, by segment.
_SHIFT_DISP = {
    ("ld1ce1rcq", "FUVA"): (-430.78330, -433.96118),
    ("ld1ce1rcq", "FUVB"): (-430.17172, -433.32562),
    ("ld1ce4dkq", "FUVA"): (-249.85720, -249.85033),
    ("ld1ce4dkq", "FUVB"): (-251.00300, -250.87123),
    ("lcwj02qvq", "NUVA"): (16.985197,),
    ("lcwj02qvq", "NUVB"): (17.088602,),
    ("lcwj02qvq", "NUVC"): (16.315190,),
    ("lb4c10niq", "NUVA"): (-23.67234, -23.85408),
    ("lb4c10niq", "NUVB"): (-23.992914, -23.90261),
    ("lb4c10niq", "NUVC"): (-24.230333, -24.0943),
    ("ldfd01vnq", "FUVA"): (-520.1133, -521.4479, -522.1367),
    ("ldfd01vpq", "FUVA"): (-281.97266, -281.8633),
}
_FP_PIXEL_SHIFT = {
    ("ld1ce1rcq", "FUVA"): -488.67403,
    ("ld1ce1rcq", "FUVB"): -488.36204,
    ("ld1ce4dkq", "FUVA"): -239.52428,
    ("ld1ce4dkq", "FUVB"): -241.17110,
    ("lcwj02qvq", "NUVA"): 49.84282,
    ("lcwj02qvq", "NUVB"): 50.65564,
    ("lcwj02qvq", "NUVC"): 51.89941,
    ("lb4c10niq", "NUVA"): 0.0,
    ("lb4c10niq", "NUVB"): 0.0,
    ("lb4c10niq", "NUVC"): 0.0,
    ("ldfd01vnq", "FUVA"): -499.85449,
    ("ldfd01vpq", "FUVA"): -264.99002,
}
_PIXELS = 1e-4
"""To what the numbers above are rounded."""

_NOTHING = {
    "file_id": np.empty(0),
    "rootname": np.empty(0, dtype=object),
    "mjd": np.empty(0),
    "life_adj": np.empty(0),
}


def _compute(detector: str, data_dir: Path, flashes: Flashes) -> RunOutput:
    wcptabs = ("u1t1616ql", "03p1706jl", "xaf1429el")
    paths = [data_dir / "references" / f"{name}_wcp.fits.gz" for name in wcptabs]
    inputs: Inputs = {
        "flashes": flashes,
        "boxes": read_boxes(paths),
        "empty": _NOTHING,
        "WCPTAB": read_active(paths),
        "LAMPTAB": read_active([]),
    }
    return monitors()[f"{detector.lower()}-osm-shift"].compute(inputs)


@pytest.mark.parametrize("detector", ["FUV", "NUV"])
def test_shifts_with_and_without_fp_pos(data_dir: Path, detector: str) -> None:
    found = _compute(detector, data_dir, real_flashes(data_dir))
    compared = 0
    for (root, segment), shifts in _SHIFT_DISP.items():
        for number, shift in enumerate(shifts, 1):
            if not segment.startswith(detector):
                continue
            key = (root, segment, f"flash {number}")
            raw, error = value_of(found.values, "shift_disp", *key)
            corrected, _ = value_of(found.values, "shift", *key)
            assert raw == pytest.approx(shift, abs=_PIXELS)
            assert corrected == pytest.approx(shift - _FP_PIXEL_SHIFT[root, segment], abs=_PIXELS)
            assert 0.02 < error < 0.2
            compared += 1
    assert compared == {"FUV": 13, "NUV": 9}[detector]
    assert found.findings == []
    assert not any(values.outlier.any() for values in found.values)
    assert [artifact.name for artifact in found.artifacts] == [
        f"{detector.lower()}-osm-shift-outliers.csv"
    ]
    assert found.artifacts[0].content.count(b"\n") == 1  # its head


def test_differences_of_segments(data_dir: Path) -> None:
    """A less B, of SHIFT_DISP and of what is left of it without FP_PIXEL_SHIFT."""
    values = _compute("FUV", data_dir, real_flashes(data_dir)).values
    for root in ("ld1ce1rcq", "ld1ce4dkq"):
        commanded = _FP_PIXEL_SHIFT[root, "FUVA"] - _FP_PIXEL_SHIFT[root, "FUVB"]
        for flash in (0, 1):
            raw = _SHIFT_DISP[root, "FUVA"][flash] - _SHIFT_DISP[root, "FUVB"][flash]
            key = (root, "A-B", f"flash {flash + 1}")
            assert value_of(values, "difference", *key)[0] == pytest.approx(raw, abs=2 * _PIXELS)
            assert value_of(values, "difference_corrected", *key)[0] == pytest.approx(
                raw - commanded, abs=2 * _PIXELS
            )
    assert value_of(values, "difference", "ld1ce4dkq", "A-B", "flash 1")[0] == pytest.approx(
        1.14581, abs=2e-5
    )
    assert value_of(values, "difference_corrected", "ld1ce1rcq", "A-B", "flash 2")[
        0
    ] == pytest.approx(-0.3236, abs=1e-4)


def test_segment_without_lines_is_kept_and_enters_no_statistic(data_dir: Path) -> None:
    """G140L/1280 has no lines on FUVB: CalCOS copies the shifts of FUVA."""
    found = _compute("FUV", data_dir, real_flashes(data_dir, ["lbhx26fmq"]))
    for flash in (1, 2):
        key = ("lbhx26fmq", "A-B", f"flash {flash}, copied")
        assert value_of(found.values, "difference", *key)[0] == 0.0
    copied = value_of(found.values, "shift", "lbhx26fmq", "FUVB", "flash 1, copied")
    assert copied == value_of(found.values, "shift", "lbhx26fmq", "FUVA", "flash 1")
    assert found.statistics["FUVA G140L 1280 LP2 shift"]["mission"]["n"] == 2
    assert not any(name.startswith(("FUVB", "A-B")) for name in found.statistics)
    assert found.statistics["left out, copied: shift_disp"]["mission"]["n"] == 2
    assert found.findings == []


def test_differences_of_stripes(data_dir: Path) -> None:
    """B less C, and C less A: shifts without FP_PIXEL_SHIFT."""
    values = _compute("NUV", data_dir, real_flashes(data_dir)).values
    expected = {
        ("lb4c10niq", 1): (0.23742, -0.55799),
        ("lb4c10niq", 2): (0.19169, -0.24022),
        ("lcwj02qvq", 1): (2.01719, -2.72660),
    }
    for (root, flash), differences in expected.items():
        for name, (first, second), wanted in zip(
            ("B-C", "C-A"), (("NUVB", "NUVC"), ("NUVC", "NUVA")), differences, strict=True
        ):
            by_hand = [
                _SHIFT_DISP[root, segment][flash - 1] - _FP_PIXEL_SHIFT[root, segment]
                for segment in (first, second)
            ]
            assert by_hand[0] - by_hand[1] == pytest.approx(wanted, abs=2e-5)
            found, _ = value_of(values, "difference_corrected", root, name, f"flash {flash}")
            assert found == pytest.approx(wanted, abs=2e-5)


@pytest.mark.parametrize("detector", ["FUV", "NUV"])
def test_without_templates_only_the_raw_shift_is_known(data_dir: Path, detector: str) -> None:
    names = {"FUV": ["ld1ce1rcq", "lbhx26fmq"], "NUV": ["lcwj02qvq"]}[detector]
    found = _compute(detector, data_dir, real_flashes(data_dir, names, references=False))
    key = {"FUV": ("ld1ce1rcq", "FUVA"), "NUV": ("lcwj02qvq", "NUVA")}[detector]
    raw, _ = value_of(found.values, "shift_disp", *key, "flash 1, no template")
    assert raw == pytest.approx(_SHIFT_DISP[key][0], abs=_PIXELS)
    assert sum(len(one.value) for one in found.values if one.quantity == "shift") == 0
    assert not any(name.endswith("shift") for name in found.statistics)
    assert found.findings == []


def test_search_boxes(data_dir: Path) -> None:
    """SEARCH_OFFSET less and plus XC_RANGE; tables before 2013 and those of the FUV have no
    offset.
    """
    boxes = {
        "03p1706jl": {
            "G185M": (-110.0, 70.0),
            "G225M": (-100.0, 80.0),
            "G285M": (-57.0, 57.0),
            "G230L": (-98.0, 18.0),
        },
        "xaf1429el": {
            "G185M": (-57.0, 57.0),
            "G225M": (-57.0, 57.0),
            "G285M": (-57.0, 57.0),
            "G230L": (-58.0, 58.0),
        },
        "u1t1616ql": {
            "G130M": (-271.0, 271.0),
            "G160M": (-285.0, 285.0),
            "G140L": (-269.0, 269.0),
        },
    }
    for name, gratings in boxes.items():
        table = read_boxes([data_dir / "references" / f"{name}_wcp.fits.gz"])
        flashes = {
            "wcptab": np.full(len(gratings), f"{name}_wcp.fits", dtype=object),
            "opt_elem": np.array(list(gratings), dtype=object),
        }
        found = SearchBoxes.of(flashes, table)
        assert list(zip(found.low, found.high, strict=True)) == list(gratings.values())
    unknown = SearchBoxes.of(flashes, read_boxes([]))
    assert np.isnan(unknown.low).all()
