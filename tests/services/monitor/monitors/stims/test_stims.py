"""Stim monitor on positions whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from services.monitor.framework.declaration import RunOutput, Values
from services.monitor.monitors import monitors
from shared.cos.detector import STIM_POSITIONS
from shared.database.models.monitoring import Severity

_COORDINATES = ("stim1_x", "stim1_y", "stim2_x", "stim2_y")
_STEP, _STEPS, _RATE, _NOISE = 120.0, 10, 1.0, 0.1
"""Seconds, steps of an exposure, Hz of each stim, and pixels that the position of a step scatters
by.
"""

Exposures = dict[str, np.ndarray]


def _exposures(count: int = 400, segment: str = "FUVA") -> tuple[Exposures, dict[str, np.ndarray]]:
    """Return the columns of the monitor's query, and the true coordinates.

    A warm and cold cycle of 2 pix over the reference.
    """
    random = np.random.default_rng(11)
    cycle = np.sin(np.arange(count) / 20.0)
    upper, lower = STIM_POSITIONS[segment]
    truth = {
        "stim1_x": upper[0] + 10 + cycle,
        "stim1_y": upper[1] - 5 + 0 * cycle,
        "stim2_x": lower[0] + 20 - cycle,
        "stim2_y": lower[1] + 5 + 0 * cycle,
    }
    steps = {
        name: place[:, None] + random.normal(0, _NOISE, (count, _STEPS))
        for name, place in truth.items()
    }

    def all_of(value: object, kind: type = float) -> np.ndarray:
        return np.full(count, value, dtype=kind)

    columns = {
        "file_id": np.arange(count, dtype=float),
        "rootname": np.array([f"ld{number:06d}q" for number in range(count)], dtype=object),
        "segment": all_of(segment, object),
        "mjd": 57000.0 + np.arange(count),
        "step": all_of(_STEP),
        "steps": all_of(_STEPS),
        "stim1_steps": all_of(_STEPS),
        "stim2_steps": all_of(_STEPS),
        "counts": random.poisson(2 * _RATE * 0.9 * _STEP * _STEPS, count).astype(float),
        "missing_from": all_of(np.nan),
        "missing_to": all_of(np.nan),
        "quality_rows": all_of(_STEPS),
        "stimrate": all_of(2 * _RATE),
        "life_adj": all_of(3.0),
    }
    for letter in "ab":
        columns |= {f"temperature_{letter}": 20 + cycle, f"hvlevel{letter}": all_of(163.0)}
        columns |= {
            f"nevents{letter}": all_of(1e5),
            f"livetm_{letter}": all_of(0.9),
            f"stim{letter}_lx": all_of(390.0),
        }
    for name in _COORDINATES:
        columns |= {
            name: steps[name].mean(axis=1),
            f"{name}_scatter": steps[name].std(axis=1, ddof=1),
        }
    for axis in "xy":
        stretch = steps[f"stim2_{axis}"] - steps[f"stim1_{axis}"]
        columns |= {
            f"stretch_{axis}": stretch.mean(axis=1),
            f"stretch_{axis}_scatter": stretch.std(axis=1, ddof=1),
        }
    return columns, truth


def _compute(columns: Exposures) -> RunOutput:
    warmth = {
        "rootname": columns["rootname"],
        "a": columns["temperature_a"],
        "b": columns["temperature_b"],
    }
    steps = {name: values for name, values in columns.items() if not name.startswith("temperature")}
    return monitors()["stims"].compute({"steps": steps, "warmth": warmth})


def _of(findings: RunOutput, quantity: str, region: str | None = None) -> Values:
    (found,) = [
        one for one in findings.values if one.quantity == quantity and one.region[0] == region
    ]
    return found


def _rules(columns: Exposures) -> list[tuple[str, Severity, str, str | None]]:
    return [
        (one.rule, one.severity, one.configuration, one.rootname)
        for one in _compute(columns).findings
    ]


def test_positions_and_thermal_map_are_recovered() -> None:
    columns, truth = _exposures()
    findings = _compute(columns)
    for name in _COORDINATES:
        found = _of(findings, "position", name)
        deviation = (found.value - truth[name]) / found.error
        assert abs(deviation.mean()) < 0.2
        # Normal: the usual scatter of many exposures joins that of the few steps of one.
        assert np.median(np.abs(deviation)) == pytest.approx(0.674, abs=0.1)
        assert np.median(found.error) == pytest.approx(_NOISE / np.sqrt(_STEPS), rel=0.1)
    for axis, first, second in (("x", "stim1_x", "stim2_x"), ("y", "stim1_y", "stim2_y")):
        wanted = {
            "stretch": truth[second] - truth[first],
            "midpoint": (truth[first] + truth[second]) / 2,
        }
        for quantity, true in wanted.items():
            found = _of(findings, quantity, axis)
            assert abs(((found.value - true) / found.error).mean()) < 0.2
    # the map puts the stims to where they should be
    slope, offset = _of(findings, "slope", "x").value, _of(findings, "offset", "x").value
    upper, lower = STIM_POSITIONS["FUVA"]
    assert offset + slope * truth["stim1_x"] == pytest.approx(upper[0], abs=0.2)
    assert offset + slope * truth["stim2_x"] == pytest.approx(lower[0], abs=0.2)
    live = _of(findings, "live_time")
    assert ((live.value - 0.9) / live.error).std() == pytest.approx(1.0, abs=0.1)
    assert findings.newest_mjd == columns["mjd"][-1]


def test_what_comes_later_changes_no_error() -> None:
    columns, _ = _exposures()
    columns["stim1_x_scatter"][[0, 150]] = 5.0  # the first one has none before it
    columns["stim1_x_scatter"][300:] *= 4.0
    early = _of(
        _compute({name: column[:300] for name, column in columns.items()}), "position", "stim1_x"
    )
    late = _of(_compute(columns), "position", "stim1_x")
    assert (late.error[:300] == early.error).all()
    assert np.isfinite(late.error).all()
    # The last hundred exposures tell the usual scatter.
    assert np.median(late.error[-10:]) == pytest.approx(4.0 * np.median(early.error), rel=0.15)


def test_jumps_to_both_sides_are_outliers() -> None:
    columns, _ = _exposures()
    jumps = np.arange(40, 400, 45)
    columns["stim1_x"][jumps] += np.where(np.arange(len(jumps)) % 2, 15.0, -15.0)
    found = _of(_compute(columns), "position", "stim1_x")
    assert found.outlier[jumps].all()
    assert np.delete(found.outlier, jumps).mean() <= 0.01


def test_good_exposures_alarm_nobody() -> None:
    for segment in ("FUVA", "FUVB"):
        assert _rules(_exposures(segment=segment)[0]) == []


@pytest.mark.parametrize(
    ("column", "row", "value", "expected"),
    [
        ("stim2_x_scatter", -1, 2.1, [("scatter", Severity.WARN, "FUVA stim2_x", "ld000399q")]),
        ("stim2_x_scatter", -1, 1.9, []),
        ("stim2_x_scatter", 100, 2.1, []),
        ("stim1_x", -1, 389.0 + 178.0, [("edge", Severity.WARN, "FUVA stim1_x", None)]),
        ("stim1_x", -1, 389.0 + 176.0, []),
        ("stim2_y", -1, 3.0, [("edge", Severity.WARN, "FUVA stim2_y", None)]),
        ("stim1_steps", -3, 8.0, [("missing", Severity.WARN, "FUVA stim1", "ld000397q")]),
        ("stim1_steps", -20, 8.0, []),
        ("stima_lx", -1, np.nan, [("keyword", Severity.ALERT, "FUVA", "ld000399q")]),
        ("stimb_lx", -1, np.nan, []),
    ],
)
def test_rules(
    column: str, row: int, value: float, expected: list[tuple[str, Severity, str, str | None]]
) -> None:
    columns, _ = _exposures()
    columns[column][row] = value
    assert _rules(columns) == expected


@pytest.mark.parametrize(("told", "rules"), [(0.86, []), (0.7, ["live-time"]), (np.nan, [])])
def test_live_time_is_compared_with_the_header(told: float, rules: list[str]) -> None:
    columns, _ = _exposures()
    columns["livetm_a"][[100, -1]] = told
    findings = _compute(columns)
    assert [(one.rule, one.rootname) for one in findings.findings] == [
        (rule, "ld000399q") for rule in rules
    ]
    assert np.flatnonzero(_of(findings, "live_time").outlier).tolist() == [100, 399] * len(rules)


def test_few_counts_tell_no_live_time() -> None:
    columns, _ = _exposures()
    columns["steps"][-1], columns["counts"][-1] = 1.0, 190.0
    columns["stim1_steps"][-1] = columns["stim2_steps"][-1] = 1.0
    assert _rules(columns) == []  # 0.79 for 0.9, by 1.9 sigma


def test_a_stim_is_not_missing_where_chance_explains_it() -> None:
    columns, _ = _exposures()
    columns["step"][-1], columns["steps"][-1], columns["counts"][-1] = 0.12, 20.0, 4.0
    assert _rules(columns) == []  # 0.12 counts a step are expected
    columns["stimrate"][-1] = 30.0
    columns["stim1_steps"][-1] = 0.0
    assert [rule[0] for rule in _rules(columns)] == ["missing"]  # 36 in the exposure


def test_a_segment_that_is_off_shows_no_stims() -> None:
    columns, _ = _exposures()
    columns["hvlevela"][-1], columns["neventsa"][-2] = 100.0, 0.0
    columns["stima_lx"][-2:] = np.nan
    for name in ("stim1_steps", "stim2_steps"):
        columns[name][-2:] = 0.0
    findings = _compute(columns)
    assert not findings.findings
    assert len(_of(findings, "missing", "stim1").mjd) == 398


def test_missing_stims_leave_the_others_values() -> None:
    columns, _ = _exposures()
    for name in ("stim1_x", "stim1_y", "stretch_x", "stretch_y"):
        columns[name][-1] = np.nan
    columns["stim1_steps"][-1] = 0.0
    findings = _compute(columns)
    assert len(_of(findings, "position", "stim1_x").mjd) == 399
    assert len(_of(findings, "position", "stim2_x").mjd) == 400
    assert _of(findings, "missing", "stim1").value[-1] == 1.0


def test_nothing_measured_is_no_data() -> None:
    columns, _ = _exposures(3)
    assert _compute({name: values[:0] for name, values in columns.items()}).newest_mjd is None
    off = columns | {"neventsa": np.zeros(3)}
    assert _compute(off) == replace(
        RunOutput(newest_mjd=57002.0), values=[], figures=[], findings=[], statistics={}
    )
