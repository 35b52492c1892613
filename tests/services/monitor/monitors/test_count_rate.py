"""Count-rate monitor on rates whose truth is known."""

import numpy as np
import pytest

from services.monitor.figures.drawing import draw
from services.monitor.monitors import monitors
from services.monitor.monitors.framework.monitor import Columns, Findings
from shared.database.models.monitoring import Severity

_COUNT = 900


def _columns() -> Columns:
    """Columns of the monitor's query: a rate of every kind in turn, a tenth of them darks; the last three are light."""
    generator = np.random.default_rng(6)
    segment = np.array(["FUVA", "FUVB", "NUV"] * (_COUNT // 3), dtype=object)
    dark = (np.arange(_COUNT) // 3) % 10 == 0
    rate = np.where(dark, generator.normal(20.0, 2.0, _COUNT), generator.lognormal(5.0, 1.0, _COUNT))
    return {
        "file_id": np.arange(float(_COUNT)),
        "rootname": np.array([f"ld{number // 3:06d}q" for number in range(_COUNT)], dtype=object),
        "segment": segment,
        "mjd": 55000.0 + np.arange(_COUNT) / 3.0,
        "exptype": np.where(dark, "DARK", "EXTERNAL/SCI").astype(object),
        "shutter": np.where(dark, "Closed", "Open").astype(object),
        "obstype": np.full(_COUNT, "SPECTROSCOPIC", dtype=object),
        "hvlevel": np.full(_COUNT, 167.0),
        "life_adj": np.full(_COUNT, 1.0),
        "overflow": np.zeros(_COUNT),
        "rate": rate,
        "digital": rate,
        "front_end": np.where(segment == "NUV", np.nan, rate * 1.02),
    }


def _compute(columns: Columns) -> Findings:
    return monitors()["count-rate"].compute({"rates": columns})


def test_rates_near_their_limit_are_flagged_and_no_others() -> None:
    columns = _columns()
    bright = np.arange(91, _COUNT, 100)
    columns["rate"][bright] = np.where(columns["segment"][bright] == "NUV", 60_000.0, 9_000.0)
    found = _compute(columns)
    for values in found.values:
        assert values.outlier[bright].all()
        assert not np.delete(values.outlier, bright).any()
    fraction = next(one for one in found.values if one.quantity == "fraction")
    assert set(np.round(fraction.value[bright], 6)) <= {0.6, 0.666667}
    for figure in found.figures:
        assert draw(figure, "png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("place", "changes", "expected"),
    [
        (-3, {}, {}),
        (-3, {"rate": 7_400.0}, {}),
        (-3, {"rate": 7_600.0}, {"global-rate": Severity.WARN}),
        (-3, {"rate": 12_100.0}, {"global-rate": Severity.ALERT}),
        (-2, {"rate": 15_100.0}, {"global-rate": Severity.CRITICAL}),
        (-1, {"rate": 50_000.0}, {"global-rate": Severity.WARN}),
        (-1, {"rate": 80_000.0, "obstype": "IMAGING"}, {}),
        (0, {"rate": 15_100.0}, {}),
        (-3, {"overflow": 1.0}, {"overflow": Severity.ALERT}),
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


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_few_exposures_are_enough(count: int) -> None:
    found = _compute({name: column[:count] for name, column in _columns().items()})
    assert (found.newest_mjd is None) == (count == 0)
    assert sum(len(values.mjd) for values in found.values if values.quantity == "rate") == count
