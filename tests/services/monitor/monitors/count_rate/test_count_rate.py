"""Count-rate monitor on rates whose truth is known."""

import numpy as np
import pytest

from services.monitor.figures import Points
from services.monitor.figures.matplotlib import draw
from services.monitor.framework.declaration import Columns, RunOutput
from services.monitor.monitors import monitors
from shared.database.models.monitoring import Severity

_COUNT = 900


def _columns() -> Columns:
    """Return the columns of the monitor's query.

    A rate of every kind in turn, a tenth of them darks.

    The last three are light.
    """
    generator = np.random.default_rng(6)
    segment = np.array(["FUVA", "FUVB", "NUV"] * (_COUNT // 3), dtype=object)
    dark = (np.arange(_COUNT) // 3) % 10 == 0
    rate = np.where(
        dark, generator.normal(20.0, 2.0, _COUNT), generator.lognormal(5.0, 1.0, _COUNT)
    )
    return {
        "file_id": np.arange(float(_COUNT)),
        "rootname": np.array([f"ld{number // 3:06d}q" for number in range(_COUNT)], dtype=object),
        "segment": segment,
        "mjd": 55000.0 + np.arange(_COUNT) / 3.0,
        "exptype": np.where(dark, "DARK", "EXTERNAL/SCI").astype(object),
        "shutter": np.where(dark, "Closed", "Open").astype(object),
        "obstype": np.full(_COUNT, "SPECTROSCOPIC", dtype=object),
        "obsmode": np.full(_COUNT, "ACCUM", dtype=object),
        "proposid": np.full(_COUNT, 12345.0),
        "opt_elem": np.full(_COUNT, "G130M", dtype=object),
        "cenwave": np.full(_COUNT, 1291.0),
        "hvlevel": np.full(_COUNT, 167.0),
        "life_adj": np.full(_COUNT, 1.0),
        "rate": rate,
        "digital": rate.copy(),
        "front_end": np.where(segment == "NUV", np.nan, rate * 1.02),
        "second": rate + 4.0 * np.sqrt(rate),
        "local": np.where(segment == "NUV", 0.5, 0.02),
        "local_counts": np.full(_COUNT, 80.0),
        "stripe": np.where(segment == "NUV", rate / 2.0, np.nan),
    }


def _compute(columns: Columns) -> RunOutput:
    return monitors()["count-rate"].compute({"rates": columns})


def test_rates_near_their_limit_are_flagged_and_no_others() -> None:
    columns = _columns()
    bright = np.arange(91, _COUNT, 100)
    columns["rate"][bright] = np.where(columns["segment"][bright] == "NUV", 60_000.0, 9_000.0)
    found = _compute(columns)
    for values in found.values[:2]:
        assert values.outlier[bright].all()
        assert not np.delete(values.outlier, bright).any()
    assert not any(values.outlier.any() for values in found.values[2:])
    fraction = next(one for one in found.values if one.quantity == "fraction")
    assert set(np.round(fraction.value[bright], 6)) <= {0.6, 0.666667}
    for figure in found.figures:
        assert draw(figure, "png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("place", "changes", "expected"),
    [
        (-3, {}, {}),
        (-3, {"rate": 5_900.0}, {}),
        (-3, {"rate": 7_400.0}, {"irregular": Severity.INFO}),
        (-3, {"rate": 7_600.0}, {"irregular": Severity.INFO, "global-rate": Severity.WARN}),
        (-3, {"rate": 12_100.0}, {"irregular": Severity.INFO, "global-rate": Severity.ALERT}),
        (-2, {"rate": 15_100.0}, {"irregular": Severity.INFO, "global-rate": Severity.CRITICAL}),
        (-3, {"front_end": 61_000.0, "digital": 55_000.0}, {"shut-off": Severity.CRITICAL}),
        (-1, {"rate": 29_000.0, "stripe": np.nan}, {}),
        (-1, {"rate": 31_000.0}, {}),
        (-1, {"rate": 31_000.0, "stripe": np.nan}, {"stripe": Severity.ALERT}),
        (
            -1,
            {"rate": 46_000.0, "stripe": np.nan},
            {"irregular": Severity.INFO, "global-rate": Severity.WARN},
        ),
        (-1, {"stripe": 11_900.0}, {}),
        (-1, {"stripe": 12_100.0}, {"irregular": Severity.INFO}),
        (-1, {"stripe": 15_100.0}, {"irregular": Severity.INFO, "stripe-rate": Severity.WARN}),
        (-1, {"stripe": 24_100.0}, {"irregular": Severity.INFO, "stripe-rate": Severity.ALERT}),
        (-1, {"stripe": 30_100.0}, {"irregular": Severity.INFO, "stripe-rate": Severity.CRITICAL}),
        (-3, {"second": 7_400.0}, {}),
        (-3, {"second": 7_600.0}, {"brightest-second": Severity.WARN}),
        (-3, {"second": 12_100.0}, {"brightest-second": Severity.ALERT}),
        (-3, {"second": 15_100.0}, {"brightest-second": Severity.CRITICAL}),
        (
            -3,
            {"second": 9_000.0, "rate": 7_600.0},
            {"irregular": Severity.INFO, "global-rate": Severity.WARN},
        ),
        (
            -3,
            {"second": 16_000.0, "rate": 7_600.0},
            {
                "irregular": Severity.INFO,
                "global-rate": Severity.WARN,
                "brightest-second": Severity.CRITICAL,
            },
        ),
        (-1, {"second": 31_000.0, "obsmode": "TIME-TAG"}, {"brightest-second": Severity.CRITICAL}),
        (-3, {"local": 0.33, "local_counts": 1e6}, {}),
        (-3, {"local": 0.34, "local_counts": 1e6}, {"local-rate": Severity.WARN}),
        (-3, {"local": 0.55, "local_counts": 1e6}, {"local-rate": Severity.ALERT}),
        (-3, {"local": 0.68, "local_counts": 1e6}, {"local-rate": Severity.CRITICAL}),
        (-3, {"local": 0.11, "local_counts": 1e6, "cenwave": 1222.0}, {}),
        (
            -3,
            {"local": 0.11, "local_counts": 1e6, "cenwave": 1055.0},
            {"local-rate": Severity.WARN},
        ),
        (
            -3,
            {"local": 0.21, "local_counts": 1e6, "cenwave": 1096.0},
            {"local-rate": Severity.CRITICAL},
        ),
        (-3, {"local": 0.66, "local_counts": 100.0}, {}),
        (-3, {"local": 2.5, "local_counts": 1.0}, {}),
        (-3, {"local": 3.8, "local_counts": 1e4, "exptype": "WAVECAL"}, {}),
        (-3, {"local": np.nan, "local_counts": np.nan, "second": np.nan}, {}),
        (-1, {"local": 34.0, "local_counts": 1e6}, {}),
        (-1, {"local": 36.0, "local_counts": 1e6}, {"local-rate": Severity.WARN}),
        (-1, {"local": 51.0, "local_counts": 1e6}, {"local-rate": Severity.WARN}),
        (
            -1,
            {"local": 51.0, "local_counts": 1e6, "obstype": "IMAGING"},
            {"local-rate": Severity.CRITICAL},
        ),
        (-1, {"rate": 80_000.0}, {"irregular": Severity.INFO, "global-rate": Severity.ALERT}),
        (-1, {"rate": 29_000.0, "obsmode": "TIME-TAG"}, {"global-rate": Severity.ALERT}),
        (-1, {"rate": 31_000.0, "obsmode": "TIME-TAG"}, {"global-rate": Severity.CRITICAL}),
        (-1, {"rate": 67_000.0, "obstype": "IMAGING"}, {}),
        (-1, {"rate": 80_000.0, "obstype": "IMAGING"}, {"irregular": Severity.INFO}),
        (0, {"rate": 15_100.0}, {}),
        (-3, {"rate": 130.0, "exptype": "DARK"}, {"field-emission": Severity.CRITICAL}),
        (-3, {"rate": 110.0, "exptype": "DARK"}, {}),
        (-3, {"digital": 1000.0, "front_end": 1250.0}, {"saturation": Severity.WARN}),
        (-3, {"digital": 1000.0, "front_end": 1150.0}, {}),
        (-3, {"digital": 50.0, "front_end": 100.0}, {}),
    ],
)
def test_rules(place: int, changes: dict[str, object], expected: dict[str, Severity]) -> None:
    columns = _columns()
    for name, value in changes.items():
        columns[name][place] = value
    found = _compute(columns).findings
    assert {one.rule: one.severity for one in found} == expected
    assert all(one.rootname == columns["rootname"][place] for one in found)


def test_an_nuv_dark_that_grows_and_warms_is_no_field_emission_and_a_burst_is() -> None:
    """Rates of ten years as the simulator's.

    Window glow that grows with age and e-folds in 9 deg C.
    """
    generator = np.random.default_rng(4)
    count = 520
    columns = {name: np.resize(column, count) for name, column in _columns().items()}
    years = np.sort(generator.uniform(5.0, 15.0, count))
    warmth = np.exp((1.5 * np.sin(years * 6.0) + generator.normal(0.0, 1.0, count)) / 9.0)
    usual = 3e-4 * 2**20 * (1.0 + 3.2 * (1.0 - np.exp(-years / 9.0))) * warmth
    assert usual.max() - np.median(usual) > 400.0
    bursts = np.arange(30, count, 70)
    columns |= {
        "segment": np.full(count, "NUV", dtype=object),
        "exptype": np.full(count, "DARK", dtype=object),
        "shutter": np.full(count, "Closed", dtype=object),
        "mjd": 54962.0 + 365.25 * years,
        "rate": usual,
        "front_end": np.full(count, np.nan),
        "digital": usual,
    }
    found = _compute(columns)
    assert found.findings == []
    assert not any(values.outlier.any() for values in found.values)
    columns["rate"][[*bursts, -1]] *= 2.5
    found = _compute(columns)
    assert [(one.rule, one.rootname) for one in found.findings] == [
        ("field-emission", columns["rootname"][-1])
    ]
    assert np.flatnonzero(found.values[0].outlier).tolist() == [*bursts.tolist(), count - 1]


def test_single_photons_of_short_exposures_are_no_local_rates() -> None:
    """The brightest of many places by chance.

    Short exposures, faint ones, and one that is too bright.
    """
    generator = np.random.default_rng(8)
    columns = _columns()
    fuv = np.flatnonzero(columns["segment"] != "NUV")
    time = generator.choice([0.5, 10.0, 100.0, 1000.0], len(fuv))
    expected = 4 * time * 10.0 ** generator.uniform(-4.0, np.log10(0.2), len(fuv))
    counts = np.array([generator.poisson(mean, 2_000).max() for mean in expected], dtype=float)
    columns["local_counts"][fuv], columns["local"][fuv] = counts, counts / (4 * time)
    found = _compute(columns)
    assert (columns["local"][fuv] > 0.67).sum() > 20
    assert found.findings == []
    (local,) = [values for values in found.values if values.quantity == "local"]
    assert not local.outlier.any()
    assert len(local.mjd) == _COUNT // 3 + np.count_nonzero(counts >= 25)
    columns["local_counts"][fuv[-1]], columns["local"][fuv[-1]] = 4 * 100 * 0.8, 0.8
    (alert,) = _compute(columns).findings
    assert (alert.rule, alert.value, alert.severity) == ("local-rate", 0.8, Severity.ALERT)


def test_the_figure_of_local_rates_has_every_detector_and_lamps_apart() -> None:
    columns = _columns()
    columns["exptype"][[301, 302]], columns["local"][[301, 302]] = "WAVECAL", 3.5
    (figure,) = [one for one in _compute(columns).figures if one.name == "local"]
    drawn = {
        layer.label: len(layer.x)
        for panel in figure.panels
        for layer in panel.layers
        if isinstance(layer, Points)
    }
    assert drawn == {"FUVA": 300, "FUVB": 299, "FUVB, lamps": 1, "NUV": 299, "NUV, lamps": 1}


def test_the_highest_rates_are_listed_with_their_exposures() -> None:
    columns = _columns()
    columns["rate"][100] = 16_000.0
    (figure,) = [one for one in _compute(columns).figures if one.name == "brightest"]
    first = [
        (layer.rootnames[place], layer.notes[place])
        for layer in figure.panels[0].layers
        if isinstance(layer, Points) and layer.rootnames and layer.notes
        for place, rank in enumerate(layer.x)
        if rank == 1
    ]
    assert first == [
        (columns["rootname"][100], "proposal 12345, G130M, 1291 Angstrom, HV 167, LP1")
    ]
    assert sum(len(layer.x) for layer in figure.panels[0].layers if isinstance(layer, Points)) == 20


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_few_exposures_are_enough(count: int) -> None:
    found = _compute({name: column[:count] for name, column in _columns().items()})
    assert (found.newest_mjd is None) == (count == 0)
    assert sum(len(values.mjd) for values in found.values if values.quantity == "rate") == count
