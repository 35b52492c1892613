"""Dark monitors on measurements whose truth is known."""

import io

import numpy as np
import pytest
from astropy.io import fits

from services.monitor.figures import Heatmap, Line, Mark, Points
from services.monitor.framework.declaration import Columns, Inputs, RunOutput
from services.monitor.framework.increments import join_parts
from services.monitor.monitors import monitors
from services.monitor.monitors.darks.histograms import histogram_figure
from services.monitor.monitors.darks.orbit_maps import rate_map
from services.monitor.monitors.darks.rates import HISTOGRAM_STEP
from shared.cos.saa import saa_distance
from shared.database.models.monitoring import Severity

_NPIX, _SECONDS, _WEEK = 5_000_000.0, 1330.0, 7.0


def _exposures(
    rate: np.ndarray, region: str = "inner", segment: str = "FUVA", start: float = 56000.0
) -> Columns:
    """Return the columns of `rates_query`, with Poisson counts of the given true rates."""
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
        "proposid": all_of(12345.0),
    }


def _compute(name: str, rates: Columns) -> RunOutput:
    histogram = {
        "segment": np.array(["FUVA", "FUVA"], dtype=object),
        "month": np.array([2012.0, 2013.0]) * 12,
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
    """Over ten years that double the rate, those before a dark are far below it.

    Those about it are not.
    """
    truth = np.linspace(1.0e-6, 2.0e-6, 40)
    truth[25] *= 2
    columns = {**_exposures(truth), "mjd": 57062.0 + 91.0 * np.arange(40)}
    (values,) = _compute("fuv-dark", columns).values
    assert np.flatnonzero(values.outlier).tolist() == [25]


@pytest.mark.parametrize(
    ("factor", "severity"),
    [(1.0, None), (1.5, Severity.WARN), (3.0, Severity.ALERT)],
    ids=["as expected", "1.5", "3"],
)
def test_a_raised_level_alarms(factor: float, severity: Severity | None) -> None:
    rate = np.full(50, 4.37e-6)
    rate[-5:] *= factor
    findings = [
        found
        for found in _compute("fuv-dark", _exposures(rate)).findings
        if found.rule == "expected-rate"
    ]
    assert [found.severity for found in findings] == ([] if severity is None else [severity])
    assert all(found.source and found.threshold for found in findings)


@pytest.mark.parametrize(
    ("segment", "start", "expected", "source"),
    [
        ("FUVA", 55000.0, 4.37e-6, "June 2013"),
        ("FUVB", 56200.0, 4.37e-6, "June 2013"),
        ("FUVA", 56300.0, 3.0e-6, "June 2013"),
        ("FUVB", 56300.0, 2.0e-6, "June 2013"),
        ("FUVA", 57100.0, 4.0e-6, "April 2016"),
        ("FUVB", 57500.0, 4.0e-6, "April 2016"),
        ("FUVA", 57600.0, None, None),
        ("FUVB", 60000.0, None, None),
        ("FUVA", 60200.0, 3.83e-6, "November 2023"),
        ("FUVB", 60600.0, 2.88 * 1.44e-6, "August 2024"),
        ("NUV", 55300.0, None, None),
        ("NUV", 55370.0, 4.5e-4, "January 2011"),
        ("NUV", 55500.0, None, None),
        ("NUV", 55800.0, 7.3e-4, "January 2011"),
        ("NUV", 57000.0, None, None),
        ("NUV", 60200.0, 1.25e-3, "2023"),
    ],
)
def test_darks_are_compared_with_the_rate_published_for_their_time(
    segment: str, start: float, expected: float | None, source: str | None
) -> None:
    """The last of thirty darks at 2.5 times the expected rate is 203 d after the start."""
    fuv = segment != "NUV"
    rate = np.full(30, 2.5 * (expected or (4e-6 if fuv else 1e-3)))
    columns = _exposures(rate, "inner" if fuv else "all", segment, start)
    findings = _compute("fuv-dark" if fuv else "nuv-dark", columns).findings
    found = [one for one in findings if one.rule == "expected-rate"]
    assert [one.severity for one in found] == ([] if expected is None else [Severity.ALERT])
    assert [one.threshold for one in found] == pytest.approx(
        [] if expected is None else [2 * expected]
    )
    assert all(str(source) in str(one.source) for one in found)


def test_line_of_the_expected_rate_has_gaps_where_none_is_published() -> None:
    columns = {**_exposures(np.full(30, 2e-6)), "mjd": np.linspace(56400.0, 60300.0, 30)}
    (line,) = (
        one
        for one in _compute("fuv-dark", columns).figures[0].panels[0].layers
        if isinstance(one, Line)
    )
    assert line.x == [
        56400.0,
        56444.0,
        56444.0,
        57204.0,
        57204.0,
        57754.0,
        57754.0,
        60249.0,
        60249.0,
        60300.0,
    ]
    assert line.y == [4.37e-6, 4.37e-6, 3e-6, 3e-6, 4e-6, 4e-6, None, None, 3.83e-6, 3.83e-6]


def test_segments_have_columns_of_their_own_with_the_same_axis() -> None:
    """Points of one would hide those of the other.

    The dates are the same, and the rates nearly so.
    """
    groups = [
        _exposures(np.full(20, rate), region, segment)
        for region in ("inner", "legacy")
        for segment, rate in (("FUVA", 2e-6), ("FUVB", 1.5e-6))
    ]
    columns = {name: np.concatenate([group[name] for group in groups]) for name in groups[0]}
    figure = _compute("fuv-dark", columns).figures[0]
    titles = [
        "FUVA inner",
        "FUVB inner",
        "FUVA legacy",
        "FUVB legacy",
        "solar radio flux",
        "solar radio flux",
    ]
    assert ([panel.title for panel in figure.panels], figure.columns) == (titles, 2)
    for left, right in (figure.panels[:2], figure.panels[2:4]):
        assert [
            len([one for one in panel.layers if isinstance(one, Points)]) for panel in (left, right)
        ] == [1, 1]
        assert left.y_range == right.y_range
        points = [one for panel in (left, right) for one in panel.layers if isinstance(one, Points)]
        low, high = left.y_range or (0.0, 0.0)
        assert all(low < value < high for one in points for value in one.y if value is not None)


def test_outliers_are_those_of_their_own_voltage() -> None:
    """Every other dark is at a voltage of twice the rate.

    Between them, a rate that is neither's lies above one.
    """
    high = np.arange(60) % 2 == 1
    rate = np.where(high, 2.4e-6, 1.2e-6)
    rate[30] = 1.8e-6
    columns = {**_exposures(rate), "hvlevel": np.where(high, 173.0, 167.0)}
    found = _compute("fuv-dark", columns)
    assert np.flatnonzero(found.values[0].outlier).tolist() == [30]
    levels = {
        name: found.statistics[f"FUVA inner HV {name}"]["mission"]["median"] for name in (167, 173)
    }
    assert levels == {167: pytest.approx(1.2e-6, rel=0.02), 173: pytest.approx(2.4e-6, rel=0.02)}


def _nuv(factor: np.ndarray | float = 1.0, start: float = 56000.0) -> tuple[Columns, np.ndarray]:
    """Return the NUV darks whose rate grows by 8 % per degree and 20 % a year, and the truth."""
    days = _WEEK * np.arange(150)
    heat = 20.0 + 2.0 * np.sin(days / 58.0)
    truth = 4e-4 * np.exp(0.08 * (heat - 20.0) + 0.2 * days / 365.25) * factor
    columns = {
        **_exposures(truth, "all", "NUV", start),
        "temperature": heat,
        "npix": np.full(150, 1048576.0),
    }
    columns["counts"] = np.round(columns["counts"] * columns["npix"] / _NPIX)
    columns["hvlevel"] = np.full(150, np.nan)
    return columns, truth


def test_rates_grow_with_temperature_and_age_without_an_alarm() -> None:
    found = _compute("nuv-dark", _nuv()[0])
    assert list(found.findings) == []
    curves = [layer for layer in found.figures[2].panels[0].layers if isinstance(layer, Line)]
    assert [curve.label.split(":")[0] for curve in curves] == ["2012", "2013", "2014", "2015"][
        : len(curves)
    ]
    assert len(curves) >= 3
    titles = [panel.title for panel in found.figures[0].panels]
    assert titles == ["NUV all", "temperature", "solar radio flux"]


@pytest.mark.parametrize(
    ("factor", "severity"), [(1.3, Severity.WARN), (2.2, Severity.ALERT)], ids=["1.3", "2.2"]
)
def test_nuv_darks_above_what_their_temperatures_predict_alarm(
    factor: float, severity: Severity
) -> None:
    raised = np.where(np.arange(150) >= 145, factor, 1.0)
    (found,) = [
        one
        for one in _compute("nuv-dark", _nuv(raised)[0]).findings
        if one.rule == "predicted-rate"
    ]
    assert found.severity is severity
    assert found.value is not None
    assert found.threshold is not None
    assert found.value / found.threshold == pytest.approx(
        factor / (1.2 if severity is Severity.WARN else 2.0), rel=0.05
    )


def test_too_many_counts_on_the_whole_detector_alarm() -> None:
    """2000 counts / s are 1.9e-3 a pixel; darks of longer ago than 30 d no longer alarm."""
    columns, _ = _nuv()
    columns = dict(columns)
    columns["counts"] = columns["counts"].copy()
    for place in (10, 148):
        columns["counts"][place] = 2300.0 * _SECONDS
    (found,) = [one for one in _compute("nuv-dark", columns).findings if one.rule == "total-rate"]
    assert (found.severity, found.rootname) == (Severity.ALERT, "ld000148q")
    assert found.value == pytest.approx(2300.0)


def test_histogram_marks_what_the_bins_say() -> None:
    random = np.random.default_rng(2)
    rates = random.gamma(20.0, 1e-7, 20_000)
    steps, counts = np.unique(np.floor(rates / HISTOGRAM_STEP), return_counts=True)
    columns = {
        "segment": np.full(len(steps), "FUVA", dtype=object),
        "month": np.full(len(steps), 2013.0 * 12 + 4),
        "step": steps,
        "count": counts.astype(float),
    }
    linear, log, years = histogram_figure(columns).panels
    marks = {layer.text: layer.x for layer in linear.layers if isinstance(layer, Mark)}
    median, sigma = np.median(rates), rates.std()
    expected = {
        "mean": rates.mean(),
        "median": median,
        "2σ": median + 2 * sigma,
        "3σ": median + 3 * sigma,
    }
    expected |= {"95 %": np.percentile(rates, 95), "99 %": np.percentile(rates, 99)}
    assert marks == pytest.approx(expected, abs=HISTOGRAM_STEP)
    assert (linear.y_log, log.y_log) == (False, True)
    assert linear.x_range == pytest.approx((0.0, np.percentile(rates, 99.5)), abs=HISTOGRAM_STEP)
    (line, newest) = (layer for layer in linear.layers if isinstance(layer, Line))
    assert sum(share for share in line.y if share) == pytest.approx(0.995, abs=0.006)
    assert newest.y == line.y
    (by_year,) = years.layers
    assert isinstance(by_year, Heatmap)
    assert by_year.y_edges == [2013.0, 2014.0]


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
        "region": np.full(count, "inner", dtype=object)[outside],
        "hvlevel": np.where(np.arange(count) % 2 == 0, 163.0, 167.0)[outside],
        "mjd": np.full(count, mjd)[outside],
        "dark": random.normal(truth, 2e-7)[outside],
        "exposure": np.full(count, 25.0)[outside],
        "latitude": latitude[outside],
        "longitude": longitude[outside],
        "sun_lat": np.full(count, 10.0)[outside],
        "sun_lon": np.full(count, 100.0)[outside],
        "saa_distance": distance[outside],
    }
    findings = monitors()["dark-orbit"].compute(_kept(columns))
    (ratio,) = findings.values
    assert abs(ratio.value[0] - 2.0) < 3 * ratio.error[0]
    assert ratio.error[0] < 0.01
    assert [figure.name for figure in findings.figures] == ["map-fuva-163", "map-fuva-167"]
    titles = [panel.title for panel in findings.figures[0].panels]
    assert titles == ["over the ground", "against the Sun", "elevated bins against the Sun"]
    assert [artifact.name for artifact in findings.artifacts] == [
        "dark_map_fuva_163.fits",
        "dark_map_fuva_167.fits",
    ]
    seconds = 0.0
    for artifact in findings.artifacts:
        with fits.open(io.BytesIO(artifact.content)) as hdus:
            header = hdus[0].header
            assert (
                (header["CELLLON"], header["CELLLAT"])
                == (hdus["RATE"].header["CDELT1"], 2.5)
                == (5.0, 2.5)
            )
            assert abs(header["EDGERAT"] - 2.0) < 4 * header["EDGERERR"]
            seconds += hdus["SECONDS"].data.sum()
    assert seconds == 25.0 * np.count_nonzero(outside)
    # by the Sun there is nothing of the anomaly left
    by_sun = findings.figures[0].panels[1].layers[0]
    assert isinstance(by_sun, Heatmap)
    assert max(rate for row in by_sun.z for rate in row if rate is not None) < 2e-6


def _kept(columns: dict[str, np.ndarray]) -> Inputs:
    """Return the rows of bins as the monitor keeps them, in two parts."""
    parted = monitors()["dark-orbit"].parts["by_files"]
    half = len(columns["mjd"]) // 2
    parts = [
        {name: values[rows] for name, values in columns.items()}
        for rows in (np.s_[half:], np.s_[:half])
    ]
    return join_parts(
        "by_files",
        {str(number): (parted.find("", {"rows": rows}), True) for number, rows in enumerate(parts)},
    )


@pytest.mark.parametrize(
    ("count", "cell", "shape"),
    [(20_000, (5.0, 2.5), (28, 72)), (3_000, (10.0, 5.0), (14, 36)), (800, (15.0, 10.0), (7, 24))],
)
def test_cells_of_a_map_are_as_small_as_its_bins_allow(
    count: int, cell: tuple[float, float], shape: tuple[int, int]
) -> None:
    random = np.random.default_rng(3)
    x, y, seconds = (
        random.uniform(0, 360, count),
        random.uniform(-28, 28, count),
        np.full(count, 25.0),
    )
    found = rate_map(x, y, random.normal(1e-6, 1e-7, count), seconds, (-35.0, 35.0))
    assert (found.cell, found.rate.shape) == (cell, shape)
    assert (found.x_edges[-1], found.y_edges[-1]) == (360.0, 35.0)
    assert found.count[np.isfinite(found.rate)].sum() >= 0.9 * count
    assert np.nanmedian(found.rate) == pytest.approx(1e-6, rel=0.02)
    assert (found.count.sum(), found.seconds.sum()) == (count, 25.0 * count)


def test_what_others_measured_and_nuv_darks_have_maps_of_their_own() -> None:
    count = 600
    columns = {
        name: np.full(count, 20.0)
        for name in ("mjd", "latitude", "longitude", "sun_lat", "sun_lon")
    }
    columns |= {
        "dark": np.full(count, 1e-6),
        "exposure": np.full(count, 25.0),
        "saa_distance": np.full(count, 5e3),
    }
    columns["rootname"] = np.full(count, "ld000000q", dtype=object)
    columns["segment"] = np.array(["FUVA", "FUVA", "NUV"] * 200, dtype=object)
    columns["region"] = np.array(["inner", "legacy", "all"] * 200, dtype=object)
    columns["hvlevel"] = np.array([163.0, np.nan, np.nan] * 200)
    found = monitors()["dark-orbit"].compute(_kept(columns))
    assert [figure.name for figure in found.figures] == [
        "map-fuva-163",
        "map-fuva-legacy",
        "map-nuv",
    ]
    assert [values.tolist() for values in (found.values[0].segment, found.values[0].region)] == [
        ["FUVA", "FUVA", "NUV"],
        [None, "legacy", None],
    ]
    others, nuv = found.figures[1].panels, found.figures[2].panels[2]
    assert others[-1].title == "elevated bins against the Sun"
    (points,) = nuv.layers
    assert isinstance(points, Points)
    assert len(points.x) == 200
