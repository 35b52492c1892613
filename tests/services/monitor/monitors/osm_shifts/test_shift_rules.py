"""Rules, statistics and means of shifts on flashes whose truth is known."""

import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from services.monitor.figures.description import figure_to_json
from services.monitor.framework.declaration import RunOutput
from services.monitor.library.lamp_flashes import pairs_of
from services.monitor.library.revised_tables import read_active
from services.monitor.monitors import monitors
from shared.database.models.monitoring import Severity
from tests.services.monitor.monitors.flashes import flashes_of, made_up, value_of

Row = dict[str, Any]

_NOTHING = {
    "file_id": np.empty(0),
    "rootname": np.empty(0, dtype=object),
    "mjd": np.empty(0),
    "life_adj": np.empty(0),
}
_BOXES = {
    "wcptab": np.array(["some_wcp.fits"] * 2, dtype=object),
    "opt_elem": np.array(["G130M", "G225M"], dtype=object),
    "half": np.array([271.0, 90.0]),
    "offset": np.array([0.0, -10.0]),
}


def _compute(detector: str, rows: list[Row], empty: dict[str, np.ndarray] = _NOTHING) -> RunOutput:
    inputs = {
        "flashes": flashes_of(rows),
        "boxes": _BOXES,
        "empty": empty,
        "WCPTAB": read_active([]),
        "LAMPTAB": read_active([]),
    }
    return monitors()[f"{detector.lower()}-osm-shift"].compute(inputs)


def _usual(detector: str, count: int = 60, **changed: Any) -> list[Row]:
    """Return two flashes of so many exposures, a day from each other, with the scatter of 0.05
    pix.
    """
    random = np.random.default_rng(4)
    segments = ("FUVA", "FUVB") if detector == "FUV" else ("NUVA", "NUVB", "NUVC")
    rows = []
    for number in range(1, count + 1):
        for segment in segments:
            for flash in (1, 2):
                shift = 1.0 + float(random.normal(0.0, 0.05))
                both = {"shift_disp": shift, "x_shift": shift}
                rows.append(made_up(number, segment, flash, **both | changed))
    return rows


def _change(rows: list[Row], number: int, segment: str, flash: int, **changed: Any) -> None:
    (row,) = [
        row
        for row in rows
        if (row["file_id"], row["segment"], row["flash"]) == (number, segment, flash)
    ]
    row.update(changed)


def _names(found: RunOutput) -> list[tuple[str, str | None]]:
    return [(one.rule, one.rootname) for one in found.findings]


@pytest.mark.parametrize("detector", ["FUV", "NUV"])
def test_usual_flashes_alarm_nobody(detector: str) -> None:
    found = _compute(detector, _usual(detector))
    assert found.findings == []
    assert not any(one.outlier.any() for one in found.values)


@pytest.mark.parametrize(
    ("segment", "changed"),
    [
        ("NUVC", {"has_lines": False, "found": False, "rate": 90.0}),
        ("FUVA", {"found": False, "rate": 3.0, "shift_disp": 0.0}),
        ("FUVA", {"life_adj": -1, "x_shift": 400.0, "y_shift": -50.0}),
        ("FUVB", {"life_adj": 99}),
        ("FUVB", {"life_adj": None}),
        ("FUVB", {"wcptab": None, "x_shift": 9.0}),
    ],
    ids=[
        "stripe without lines",
        "faint flash",
        "engineering position",
        "unknown position",
        "no position",
        "no box",
    ],
)
def test_fakes_alarm_nobody_and_are_kept(segment: str, changed: Row) -> None:
    detector = segment[:3]
    rows = _usual(detector)
    _change(rows, 60, segment, 2, **changed)
    found = _compute(detector, rows)
    assert found.findings == []
    (raw,) = [one for one in found.values if one.quantity == "shift_disp"]
    assert len(raw.value) == len(rows)
    if changed.get("life_adj", 0) in (99, None):
        assert found.statistics["FUVB G130M 1291 LP unknown shift"]["mission"]["n"] == 1


@pytest.mark.parametrize(
    ("detector", "segment", "changed", "rule", "severity"),
    [
        ("FUV", "FUVA", {"x_shift": 12.0}, "segments-along", Severity.WARN),
        ("FUV", "FUVB", {"y_shift": 6.0}, "segments-across", Severity.WARN),
        ("FUV", "FUVA", {"found": False}, "not-found", Severity.WARN),
        ("NUV", "NUVB", {"found": False}, "not-found", Severity.WARN),
        ("NUV", "NUVB", {"x_shift": 2.0}, "stripes", Severity.WARN),
    ],
)
def test_a_flash_that_is_off(
    detector: str, segment: str, changed: Row, rule: str, severity: Severity
) -> None:
    rows = _usual(detector)
    for number in (20, 58):
        _change(rows, number, segment, 2, **changed)
    found = _compute(detector, rows)
    # The other one is older than 30 days.
    assert [(one.rule, one.rootname, one.severity) for one in found.findings] == [
        (rule, "ld000058q", severity)
    ]
    listed = list(csv.DictReader(io.StringIO(found.artifacts[0].content.decode())))
    assert [(row["rootname"], row["rule"], row["flash"]) for row in listed] == [
        ("ld000020q", rule, "2"),
        ("ld000058q", rule, "2"),
    ]
    outliers = {str(root) for one in found.values for root in one.rootname[one.outlier]}
    assert outliers == {"ld000020q", "ld000058q"}


@pytest.mark.parametrize("segment", ["NUVA", "NUVB"])
def test_shift_at_the_side_of_its_box(segment: str) -> None:
    """G225M is looked for from -100 to 80: 71 is 9 pix from the side, 69 is 11."""
    rows = _usual("NUV", x_shift=69.0)
    for stripe in ("NUVA", "NUVB", "NUVC"):
        _change(rows, 59, stripe, 1, x_shift=69.0)
    assert {one.rule for one in _compute("NUV", rows).findings} == {
        "zero-point",
        "box-offset",
        "not-compared",
    }
    _change(rows, 59, segment, 1, x_shift=71.0)
    found = [one for one in _compute("NUV", rows).findings if one.rule == "search-box"]
    assert [(one.rootname, one.severity) for one in found] == [("ld000059q", Severity.ALERT)]
    assert found[0].value == pytest.approx(9.0)


def test_zero_point_of_a_setting() -> None:
    found = _compute("FUV", _usual("FUV", x_shift=-6.5))
    assert [(one.configuration, one.severity, one.value) for one in found.findings] == [
        *(
            (f"{segment} G130M 1291 LP4 FP-POS 3", Severity.INFO, -6.5)
            for segment in ("FUVA", "FUVB")
        ),
        ("LAMPTAB some_lamp.fits", Severity.INFO, None),  # not at hand
    ]
    assert _compute("FUV", _usual("FUV", 4, x_shift=-6.5)).findings == []  # too few exposures


def test_unequal_numbers_of_flashes() -> None:
    """FUVB lacks the first flash; times of the others differ by 0.3 s."""
    rows = [made_up(1, "FUVA", flash) for flash in (1, 2, 3)]
    rows += [made_up(1, "FUVB", flash, time=6.3 + 600.0 * flash) for flash in (1, 2)]
    found = _compute("FUV", rows)
    (difference,) = [one for one in found.values if one.quantity == "difference"]
    assert difference.region.tolist() == ["flash 2", "flash 3"]
    counted = {
        (str(segment), float(value))
        for one in found.values
        if one.quantity == "flashes"
        for segment, value in zip(one.segment, one.value, strict=True)
    }
    assert counted == {("FUVA", 3.0), ("FUVB", 2.0)}


def test_pairs_are_of_one_exposure_and_within_two_seconds() -> None:
    rows = [made_up(1, "FUVA", 1), made_up(2, "FUVB", 1), made_up(3, "FUVA", 1)]
    rows.append(made_up(3, "FUVB", 1, time=8.1))
    assert [len(places) for places in pairs_of(flashes_of(rows), "FUVA", "FUVB")] == [0, 0]
    rows[-1]["time"] = 7.9
    assert [place.tolist() for place in pairs_of(flashes_of(rows), "FUVA", "FUVB")] == [[2], [3]]


def test_rolling_mean() -> None:
    """Of 181 days, the first of which is 180 days before the last: within, and its edge too."""
    rows = [
        made_up(number, "NUVA", x_shift=shift)
        for number, shift in ((1, 10.0), (100, 2.0), (181, 3.0), (282, 5.0))
    ]
    found = _compute("NUV", rows)
    key = (None, "G225M")
    means = [
        value_of(found.values, "rolling_mean", f"ld{number:06d}q", *key)
        for number in (1, 100, 181, 282)
    ]
    # 10; (10 + 2) / 2; (10 + 2 + 3) / 3; (3 + 5) / 2 since day 100 is 182 days before.
    assert [mean for mean, _ in means] == pytest.approx([10.0, 6.0, 5.0, 4.0])
    assert means[0][1] == pytest.approx(np.hypot(3.0 / 2.3548 / np.sqrt(1200.0), 0.03))
    # Standard deviation of 10, 2, 3 (root of 19) over the root of 3.
    assert means[2][1] == pytest.approx(np.sqrt(19.0 / 3.0))


def test_errors_are_those_of_the_counts() -> None:
    """100 counts a second for 12 s, in lines 6 (along) and 7 pix (across) wide."""
    found = _compute("FUV", [made_up(1, "FUVA"), made_up(1, "FUVB", rate=25.0)])
    for segment, counts in (("FUVA", 1200.0), ("FUVB", 300.0)):
        key = ("ld000001q", segment, "flash 1")
        assert value_of(found.values, "shift", *key)[1] == pytest.approx(
            np.sqrt((6.0 / 2.3548) ** 2 / counts + 0.12**2)
        )
        assert value_of(found.values, "shift_xdisp", *key)[1] == pytest.approx(
            np.sqrt((7.0 / 2.3548) ** 2 / counts + 0.06**2)
        )


def test_empty_tables_are_counted() -> None:
    empty = {
        "file_id": np.array([7.0]),
        "rootname": np.array(["ld000007q"], dtype=object),
        "mjd": np.array([58007.0]),
        "life_adj": np.array([4.0]),
    }
    found = _compute("FUV", [made_up(1, "FUVA")], empty)
    assert value_of(found.values, "flashes", "ld000007q", None, None)[0] == 0.0
    assert value_of(found.values, "flashes", "ld000001q", "FUVA", None)[0] == 1.0


@pytest.mark.parametrize(
    ("detector", "rows"),
    [
        ("FUV", [made_up(1, "FUVA")]),
        ("NUV", [made_up(1, "NUVC")]),
        ("FUV", [made_up(1, "FUVA", life_adj=-1, found=False)]),
        ("NUV", [made_up(1, "NUVB", x_shift=None, has_lines=None, fppos=None, time=None)]),
    ],
)
def test_a_single_exposure_is_readable(detector: str, rows: list[Row]) -> None:
    found = _compute(detector, rows)
    assert found.newest_mjd == 58001.0
    for figure in found.figures:
        assert json.loads(figure_to_json(figure))["name"] == figure.name
        assert not any(
            text in str(panel) for panel in figure.panels for text in ("nan", "None Angstrom")
        )


def test_configuration_begins_with_another_lamptab() -> None:
    rows = _usual("FUV", 10)
    for row in rows:
        if row["file_id"] > 7:
            row["lamptab"] = "other_lamp.fits"
    periods = _compute("FUV", rows).statistics["FUVA G130M 1291 LP4 shift"]
    assert (periods["mission"]["n"], periods["configuration"]["n"]) == (20, 6)
