"""Rules and decays of drifts on flashes whose truth is known."""

import json
from typing import Any

import numpy as np
import pytest

from services.monitor.figures.description import figure_to_json
from services.monitor.framework.declaration import RunOutput
from services.monitor.monitors import monitors
from services.monitor.monitors.osm_drifts.decay import binned_medians, fit_decay
from shared.database.models.monitoring import Severity
from tests.services.monitor.monitors.flashes import flashes_of, made_up, value_of

Row = dict[str, Any]

_AMPLITUDE, _TAU = -2e-3, 3000.0
"""Drift just after a move (pix/s), and the time in which it decays (s)."""


def _compute(detector: str, rows: list[Row], moves: dict[int, float | None]) -> RunOutput:
    """Compute with the seconds since both mechanisms moved by the number of an exposure."""
    since = np.array([np.nan if one is None else one for one in moves.values()], dtype=float)
    names = np.array([f"ld{number:06d}q" for number in moves], dtype=object)
    inputs = {
        "flashes": flashes_of(rows),
        "moves": {"rootname": names, "tsinceosm1": since, "tsinceosm2": since / 2.0},
    }
    return monitors()[f"{detector.lower()}-osm-drift"].compute(inputs)


def _creep(since: float) -> float:
    """Return the pixels that a spectrum has crept since a move: the integral of the drift."""
    return float(_AMPLITUDE * _TAU * -np.expm1(-since / _TAU))


def _exposures(count: int = 60) -> tuple[list[Row], dict[int, float | None]]:
    """Return exposures with three flashes each, from 100 s to 8 h after a move, and when that was;
    shifts scatter by their errors.
    """
    random = np.random.default_rng(5)
    rows = []
    since = np.geomspace(100.0, 30_000.0, count)
    error = np.hypot(6.0 / 2.3548 / np.sqrt(1200.0), 0.12)
    for number, moved in enumerate(since.tolist(), 1):
        for segment in ("FUVA", "FUVB"):
            for flash in (1, 2, 3):
                shift = _creep(moved + 6.0 + 600.0 * (flash - 1))
                measured = shift + float(random.normal(0.0, error))
                rows.append(made_up(number, segment, flash, shift_disp=measured))
    return rows, dict(enumerate(since.tolist(), 1))


def test_decay_is_recovered_within_its_error() -> None:
    rows, moves = _exposures()
    found = _compute("FUV", rows, moves)
    region = "G130M LP4 OSM1"
    for quantity, truth in (("decay_rate", _AMPLITUDE), ("decay_tau", _TAU)):
        value, error = value_of(found.values, quantity, None, None, region)
        assert abs(value - truth) < 3.0 * error
        assert error < 0.2 * abs(truth)
    assert found.findings == []


def test_errors_of_decays_are_those_of_repeated_fits() -> None:
    random = np.random.default_rng(8)
    since = np.geomspace(700.0, 30_000.0, 80)
    seconds = np.full(80, 600.0)
    truth = _AMPLITUDE * _TAU * (np.exp((seconds - since) / _TAU) - np.exp(-since / _TAU)) / seconds
    error = np.full(80, 2e-4)
    pulls = []
    for _ in range(60):
        decay = fit_decay(since, seconds, truth + random.normal(0.0, 2e-4, 80), error)
        assert decay is not None
        pulls.append(
            [(decay.rate - _AMPLITUDE) / decay.rate_error, (decay.tau - _TAU) / decay.tau_error]
        )
    within = np.mean(np.abs(pulls) < 1.0, axis=0)
    # 68 % of 60, whose own scatter is 6 %.
    assert (np.abs(within - 0.68) < 0.18).all()
    assert (np.abs(pulls) < 4.0).all()


def test_nothing_is_fitted_to_few_flashes_or_to_what_does_not_decay() -> None:
    since, seconds = np.geomspace(100.0, 1e4, 19), np.full(19, 50.0)
    drift, error = np.exp(-since / 1000.0), np.full(19, 0.01)
    assert fit_decay(since, seconds, drift, error) is None
    since, seconds = np.geomspace(100.0, 1e4, 50), np.full(50, 50.0)
    assert fit_decay(since, seconds, np.full(50, 1.0), np.full(50, 0.01)) is None


def test_medians_by_time_since_the_move() -> None:
    """Quarters of a decade from 100 s: to 178 s, to 316 s."""
    since = np.array([100.0, 120.0, 170.0, 200.0, 300.0, 310.0, np.nan, 1e5])
    drift = np.array([1.0, 2.0, 9.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    x, y = binned_medians(since, drift)
    assert x == pytest.approx([2.125, 2.375])
    assert y.tolist() == [2.0, 5.0]


def test_fast_drift_long_after_a_move() -> None:
    """4 pix in 600 s are 6.7e-3 pix/s, at 606 s after the start of the exposure."""
    rows = [made_up(number, "FUVA", flash) for number in (1, 2, 3) for flash in (1, 2)]
    for row in rows:
        if row["flash"] == 2:
            row["shift_disp"] = 5.0
    found = _compute("FUV", rows, {1: 100.0, 2: None, 3: -100.0})
    assert [(one.rule, one.rootname, one.severity) for one in found.findings] == [
        ("fast", "ld000001q", Severity.WARN)
    ]  # of the second one there is no report, the third is 506 s after its move
    assert found.findings[0].value == pytest.approx(4.0 / 600.0)


def test_of_both_mechanisms_the_one_that_moved_last_counts() -> None:
    rows = [made_up(1, "NUVA", flash, shift_disp=4.0 * flash) for flash in (1, 2)]
    assert [one.rule for one in _compute("NUV", rows, {1: -100.0}).findings] == ["far"]
    assert [one.rule for one in _compute("NUV", rows, {1: 100.0}).findings] == ["fast", "far"]


def test_a_drift_that_chance_may_make_is_not_fast() -> None:
    """0.3 pix in 10 s are 0.03 pix/s, with an error of 0.02."""
    rows = [
        made_up(1, "FUVA", flash, time=10.0 * flash, shift_disp=0.3 * flash) for flash in (1, 2)
    ]
    found = _compute("FUV", rows, {1: 5000.0})
    assert value_of(found.values, "drift", "ld000001q", "FUVA", "flash 2")[0] == pytest.approx(0.03)
    assert found.findings == []


@pytest.mark.parametrize(("detector", "limit"), [("FUV", 6.0), ("NUV", 3.0)])
def test_creep_of_a_resolution_element_within_an_exposure(detector: str, limit: float) -> None:
    segment = "FUVA" if detector == "FUV" else "NUVB"
    rows = [made_up(number, segment, flash) for number in (1, 2) for flash in (1, 2)]
    for row in rows:
        row["time"] = 5000.0 * row["flash"]
        if row["flash"] == 2:
            row["shift_disp"] += limit + (0.1 if row["file_id"] == 2 else -0.1)
    found = _compute(detector, rows, {})
    assert [(one.rule, one.rootname) for one in found.findings] == [("far", "ld000002q")]
    assert found.findings[0].value == pytest.approx(limit + 0.1)
    outliers = {str(root) for one in found.values for root in one.rootname[one.outlier]}
    assert outliers == {"ld000002q"}


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"life_adj": -1}, "engineering position"),
        ({"found": False, "rate": 2.0}, "faint"),
        ({"found": False, "has_lines": False}, "copied"),
        ({"found": False}, "not found"),
    ],
)
def test_fakes_alarm_nobody(changed: Row, status: str) -> None:
    """Of a flash, and of the first one, against which others are compared."""
    rows = [made_up(number, "FUVA", flash) for number in (1, 2) for flash in (1, 2)]
    rows[1] |= changed | {"shift_disp": 60.0}
    rows[2] |= changed | {"shift_disp": 60.0}
    found = _compute("FUV", rows, {1: 5000.0, 2: 5000.0})
    assert found.findings == []
    (drift,) = [one for one in found.values if one.quantity == "drift"]
    assert drift.region.tolist() == [f"flash 2, {status}", f"flash 2, first flash {status}"]
    assert not any(name.startswith("G130M") for name in found.statistics)


def test_a_stripe_without_lines_alarms_nobody() -> None:
    """And a flash at a position that is not listed counts as of an unknown one."""
    rows = [
        made_up(1, segment, flash, found=segment != "NUVC", has_lines=segment != "NUVC")
        for segment in ("NUVB", "NUVC")
        for flash in (1, 2)
    ]
    rows[3]["shift_disp"] = 60.0
    found = _compute("NUV", rows, {1: 5000.0})
    assert found.findings == []
    assert {name for name in found.statistics if name.endswith(" drift")} == {
        "G225M NUVB drift",
        "left out, copied: drift",
    }
    found = _compute(
        "FUV", [made_up(1, "FUVA", flash, life_adj=99) for flash in (1, 2)], {1: 5000.0}
    )
    assert found.findings == []
    assert found.statistics["G130M LP unknown drift"]["mission"]["n"] == 1


def test_flashes_without_a_template_drift_all_the_same() -> None:
    rows = [
        made_up(1, "FUVA", flash, has_lines=None, x_shift=None, shift_disp=0.6 * flash)
        for flash in (1, 2)
    ]
    found = _compute("FUV", rows, {1: 5000.0})
    assert found.statistics["G130M LP4 drift"]["mission"]["mean"] == pytest.approx(1e-3)


def test_an_exposure_whose_first_flash_is_missing_has_no_drift() -> None:
    rows = [made_up(1, "FUVA", flash) for flash in (2, 3)]
    found = _compute("FUV", rows, {1: 5000.0})
    assert not any(len(one.value) for one in found.values if one.quantity == "drift")


@pytest.mark.parametrize("detector", ["FUV", "NUV"])
def test_a_single_flash_and_an_unknown_position_are_readable(detector: str) -> None:
    segment = "FUVA" if detector == "FUV" else "NUVB"
    for rows in (
        [made_up(1, segment)],
        [made_up(1, segment, flash, life_adj=99) for flash in (1, 2)],
        [made_up(1, segment, flash, time=None, shift_disp=None) for flash in (1, 2)],
    ):
        found = _compute(detector, rows, {1: 5000.0})
        assert found.newest_mjd == 58001.0
        assert {json.loads(figure_to_json(figure))["name"] for figure in found.figures} == {
            "drift",
            "groups",
            "date",
        }
        assert found.findings == []
