"""Dark monitors on measurements whose truth is known."""

import numpy as np
import pytest

from services.monitor.monitors import monitors
from services.monitor.monitors.framework.monitor import Columns, Findings
from shared.cos.saa import saa_distance
from shared.database.models.monitoring import Severity

_NPIX, _SECONDS, _WEEK = 5_000_000.0, 1330.0, 7.0


def _exposures(rate: np.ndarray, region: str = "inner", segment: str = "FUVA", start: float = 56000.0) -> Columns:
    """Columns of `rates_query`, with Poisson counts of the given true rates."""
    count = len(rate)
    counts = np.random.default_rng(4).poisson(rate * _NPIX * _SECONDS).astype(float)

    def all_of(value: object, kind: type = float) -> np.ndarray:
        return np.full(count, value, dtype=kind)

    return {
        "file_id": np.arange(count, dtype=float),
        "rootname": np.array([f"ld{number:06d}q" for number in range(count)], dtype=object),
        "segment": all_of(segment, object),
        "region": all_of(region, object),
        "mjd": start + _WEEK * np.arange(count),
        "counts": counts,
        "exposure": all_of(_SECONDS),
        "npix": all_of(_NPIX),
        "mean": counts / _NPIX / _SECONDS,
        "scatter": all_of(np.nan),
        "bins": all_of(53.0),
        "temperature": 20.0 + np.sin(np.arange(count)),
        "hvlevel": all_of(163.0),
        "life_adj": all_of(3.0),
    }


def _compute(name: str, rates: Columns) -> Findings:
    histogram = {
        "segment": np.array(["FUVA", "FUVA"], dtype=object),
        "year": np.array([2012.0, 2013.0]),
        "step": np.array([20.0, 25.0]),
        "count": np.array([10.0, 5.0]),
    }
    return monitors()[name].compute({"rates": rates, "histogram": histogram})


def test_rates_and_outliers_are_recovered() -> None:
    truth = np.linspace(1.2e-6, 1.8e-6, 500)
    outliers = np.arange(40, 500, 50)
    measured = truth.copy()
    measured[outliers] *= 3
    (values,) = _compute("fuv-dark", _exposures(measured)).values
    deviation = (values.value - measured) / values.error
    assert abs(deviation.mean()) < 0.2
    assert deviation.std() == pytest.approx(1.0, abs=0.1)
    assert values.outlier[outliers].all()
    rest = np.setdiff1d(np.arange(500), outliers)
    assert values.outlier[rest].mean() < 0.01


def test_a_trend_of_few_darks_is_no_outlier() -> None:
    """Over ten years that double the rate, those before a dark are far below it; those about it are not."""
    truth = np.linspace(1.0e-6, 2.0e-6, 40)
    truth[25] *= 2
    columns = {**_exposures(truth), "mjd": 57062.0 + 91.0 * np.arange(40)}
    (values,) = _compute("fuv-dark", columns).values
    assert np.flatnonzero(values.outlier).tolist() == [25]


@pytest.mark.parametrize(
    ("factor", "severity"), [(1.0, None), (1.5, Severity.WARN), (3.0, Severity.ALERT)], ids=["as expected", "1.5", "3"]
)
def test_a_raised_level_alarms(factor: float, severity: Severity | None) -> None:
    rate = np.full(50, 1.5e-6)
    rate[-5:] *= factor
    findings = [found for found in _compute("fuv-dark", _exposures(rate)).findings if found.rule == "expected-rate"]
    assert [found.severity for found in findings] == ([] if severity is None else [severity])
    assert all(found.source and found.threshold for found in findings)


def test_measurements_without_counts_have_the_error_of_their_mean() -> None:
    columns = dict(_exposures(np.full(20, 1.5e-6), region="legacy"))
    rates = columns["mean"]
    for name in ("counts", "exposure", "npix"):
        columns[name] = np.full(20, np.nan)
    columns["scatter"] = np.full(20, 4e-7)
    columns["bins"] = np.full(20, 4.0)
    (values,) = _compute("fuv-dark", columns).values
    assert values.value.tolist() == rates.tolist()
    assert values.error == pytest.approx(2e-7)


def test_nuv_rates_are_per_pixel() -> None:
    columns = _exposures(np.full(30, 1e-3), "all", "NUV")
    findings = _compute("nuv-dark", columns)
    (values,) = findings.values
    assert np.median(values.value) == pytest.approx(1e-3, rel=1e-3)
    assert findings.newest_mjd == columns["mjd"][-1]


def test_nothing_measured_is_no_data() -> None:
    empty = {name: column[:0] for name, column in _exposures(np.full(3, 1e-6)).items()}
    for name in ("fuv-dark", "nuv-dark"):
        assert monitors()[name].compute({"rates": empty, "histogram": {}}).newest_mjd is None


def test_map_recovers_the_edge_of_the_anomaly() -> None:
    random = np.random.default_rng(8)
    count, mjd = 20_000, 57000.0
    longitude = random.uniform(0, 360, count)
    latitude = 28.5 * np.sin(random.uniform(0, 2 * np.pi, count))
    distance = saa_distance(latitude, longitude, mjd)
    outside = distance > 0
    truth = np.where(distance < 500.0, 3e-6, 1.5e-6)
    columns = {
        "rootname": np.full(count, "ld000000q", dtype=object)[outside],
        "segment": np.full(count, "FUVA", dtype=object)[outside],
        "mjd": np.full(count, mjd)[outside],
        "dark": random.normal(truth, 2e-7)[outside],
        "exposure": np.full(count, 25.0)[outside],
        "latitude": latitude[outside],
        "longitude": longitude[outside],
        "sun_lat": np.full(count, 10.0)[outside],
        "sun_lon": np.full(count, 100.0)[outside],
        "saa_distance": distance[outside],
    }
    findings = monitors()["dark-orbit"].compute({"bins": columns})
    (ratio,) = findings.values
    assert abs(ratio.value[0] - 2.0) < 3 * ratio.error[0]
    assert ratio.error[0] < 0.01
    (figure,) = findings.figures
    assert [panel.title for panel in figure.panels][:2] == ["over the ground", "against the Sun"]
    (artifact,) = findings.artifacts
    assert artifact.name == "dark_map_fuva.fits"
    assert artifact.content.startswith(b"SIMPLE  =")
