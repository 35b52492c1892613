"""Pulse-height monitor on histograms whose truth is known."""

import numpy as np
import pytest
from scipy.stats import norm

from services.monitor.framework.declaration import RunOutput, Values
from services.monitor.library.pulse_heights import shape_of
from services.monitor.monitors import monitors
from shared.database.models.monitoring import Severity

_WIDTH = 2.5
_EDGES = np.arange(33) - 0.5


def _draw(peak: np.ndarray, events: int, low: float = 0.0) -> np.ndarray:
    """Return the histograms of shape (n, 32) of normal peaks, and a fraction at pulse height 1."""
    share: np.ndarray = np.diff(norm.cdf(_EDGES, peak[:, None], _WIDTH), axis=1)
    share /= share.sum(axis=1, keepdims=True)
    share *= 1 - low
    share[:, 1] += low
    drawn: np.ndarray = np.random.default_rng(3).poisson(share * events).astype(float)
    return drawn


def _columns(
    peak: np.ndarray, segment: str = "FUVA", events: int = 20_000, low: float = 0.0
) -> dict[str, np.ndarray]:
    count = len(peak)

    def all_of(value: object, kind: type = float) -> np.ndarray:
        return np.full(count, value, dtype=kind)

    histograms = _draw(peak, events, low)
    return {
        "file_id": np.arange(count, dtype=float),
        "rootname": np.array([f"ld{number:06d}q" for number in range(count)], dtype=object),
        "segment": all_of(segment, object),
        "mjd": 57100.0 + np.arange(count),
        "exptime": all_of(1000.0),
        "hvlevel": all_of(163.0),
        "life_adj": all_of(3.0),
        "aperture": all_of("PSA", object),
        "opt_elem": all_of("G130M", object),
        "cenwave": all_of(1291.0),
        "rejected": 0.06 * histograms.sum(axis=1),
        "events": histograms.sum(axis=1),
    } | {f"pha_{height}": histograms[:, height] for height in range(32)}


def _compute(columns: dict[str, np.ndarray]) -> RunOutput:
    monitor = monitors()["phd"]
    return monitor.compute(dict(monitor.parts["by_files"].find("0", {"histograms": columns})))


def _of(findings: RunOutput, quantity: str) -> Values:
    (found,) = [one for one in findings.values if one.quantity == quantity]
    return found


@pytest.mark.parametrize("events", [2000, 50_000])
def test_peak_mean_and_width_are_recovered(events: int) -> None:
    truth = np.linspace(8, 16, 400)
    findings = _compute(_columns(truth, events=events))
    for quantity, true in (
        ("peak", truth),
        ("mean", truth),
        ("width", np.sqrt(_WIDTH**2 + 1 / 12)),
    ):
        found = _of(findings, quantity)
        deviation = (found.value - true) / found.error
        assert abs(deviation.mean()) < 0.3
        assert deviation.std() == pytest.approx(1.0, abs=0.2)
        assert np.median(found.error) < 6 / np.sqrt(events)


def test_fractions_are_recovered() -> None:
    findings = _compute(_columns(np.full(300, 12.0), low=0.05))
    low = _of(findings, "lost_low")
    deviation = (low.value - 0.05) / low.error
    assert abs(deviation.mean()) < 0.2
    assert deviation.std() == pytest.approx(1.0, abs=0.1)
    assert _of(findings, "rejected").value == pytest.approx(0.06)


def test_outliers_are_told_within_a_setting() -> None:
    truth = np.linspace(13.0, 11.0, 400)
    jumps = np.arange(40, 400, 40)
    truth[jumps] += np.where(np.arange(len(jumps)) % 2, 4.0, -4.0)
    columns = _columns(truth)
    peak = _of(_compute(columns), "peak")
    assert peak.outlier[jumps].all()
    assert np.delete(peak.outlier, jumps).mean() <= 0.01
    # another voltage is another setting: its peak may lie elsewhere
    truth = np.where(np.arange(400) < 300, 12.0, 15.0)
    columns = _columns(truth)
    columns["hvlevel"][300:] = 173.0
    assert not _of(_compute(columns), "peak").outlier.any()
    # and so may that of the lamp's light, between two exposures of a target
    lamp = np.arange(400) % 3 != 0
    columns = _columns(np.where(lamp, 13.0, 12.0))
    columns["aperture"][lamp] = "WCA"
    assert not _of(_compute(columns), "peak").outlier.any()


def test_a_step_of_the_voltage_within_an_exposure_is_distinguished_from_gratings() -> None:
    """Four levels for two thirds of an exposure move its peak by a bin; gratings differ by more."""
    truth = np.linspace(13.0, 11.0, 120)
    columns = _columns(truth)
    other = np.arange(120) % 2 == 1
    columns["opt_elem"][other], columns["cenwave"][other] = "G160M", 1577.0
    stepped = np.arange(15, 120, 20)
    for height, heights in enumerate(_draw(truth - np.where(other, 1.5, 0.0), 20_000).T):
        columns[f"pha_{height}"] = heights
    before = np.stack([columns[f"pha_{height}"] for height in range(32)], axis=1)[stepped]
    after = _draw((truth - np.where(other, 1.5, 0.0))[stepped] - 4 * 0.393, 20_000)
    for height, heights in enumerate((before / 3 + after * 2 / 3).T):
        columns[f"pha_{height}"][stepped] = heights.round()
    outlier = _of(_compute(columns), "peak").outlier
    assert outlier[stepped].all()
    assert np.delete(outlier, stepped).mean() <= 0.01


def test_a_setting_of_few_exposures_has_no_outliers() -> None:
    truth = np.full(30, 12.0)
    truth[-6:] = (12.0, 12.0, 12.0, 12.0, 12.0, 9.0)
    columns = _columns(truth)
    columns["cenwave"][-6:] = 1222.0
    assert not _of(_compute(columns), "peak").outlier.any()


@pytest.mark.parametrize(
    ("peak", "low", "rules"),
    [
        (12.0, 0.0, []),
        (5.5, 0.0, []),
        (4.5, 0.0, [("peak", Severity.ALERT)]),
        (19.5, 0.0, []),
        (20.5, 0.0, [("peak", Severity.ALERT)]),
        (12.0, 0.08, []),
        (12.0, 0.12, [("lost-low", Severity.WARN)]),
    ],
)
def test_rules(peak: float, low: float, rules: list[tuple[str, Severity]]) -> None:
    truth = np.full(60, 12.0)
    truth[-5:] = peak
    findings = _compute(_columns(truth, low=low)).findings
    assert [(found.rule, found.severity) for found in findings] == rules
    assert {found.configuration for found in findings} <= {"FUVA LP3"}


def test_positions_out_of_use_alarm_no_more() -> None:
    columns = _columns(np.where(np.arange(400) < 100, 4.5, 12.0))
    columns["life_adj"][:100] = 2.0
    assert _compute(columns).findings == []
    columns["life_adj"][-100:] = -1.0  # non-standard
    columns["pha_1"][-100:] += 10_000
    assert _compute(columns).findings == []


def test_too_few_events_have_no_shape() -> None:
    shape = shape_of(np.stack([np.zeros(32), np.full(32, 3.0)]))
    assert np.isnan(shape.peak).all()
    assert np.isnan(shape.low).all()
    assert not np.isfinite(shape.fraction_error(shape.low)).any()


def test_a_histogram_without_a_peak_has_none_and_raises_nothing() -> None:
    falling = 10_000 * np.exp(-np.arange(32) / 4.0)
    shape = shape_of(falling[None].round())
    assert np.isnan([shape.peak[0], shape.peak_error[0]]).all()
    columns = _columns(np.full(10, 12.0))
    for height in range(32):
        columns[f"pha_{height}"][:] = round(falling[height])
    found = _compute(columns)
    assert not len(_of(found, "peak").value)
    assert {finding.rule for finding in found.findings} <= {"lost-low"}


def test_nothing_measured_is_no_data() -> None:
    columns = _columns(np.full(3, 12.0))
    assert _compute({name: values[:0] for name, values in columns.items()}).newest_mjd is None
