"""What is shown of single exposures, and when their voltage changed."""

import numpy as np
import pytest

from services.monitor.framework.rules import Rule, always
from services.monitor.library.exposure_values import (
    finding_of,
    points_of,
    values_of,
    voltage_changed,
)
from shared.database.models.monitoring import Severity


def _columns() -> dict[str, np.ndarray]:
    return {
        "mjd": 58000.0 + np.arange(3),
        "rootname": np.array(["ldaaaaaaq", "ldaaaabaq", "ldaaaacaq"], dtype=object),
        "region": np.array(["inner", "legacy", "inner"], dtype=object),
        "proposid": np.array([12345.0, np.nan, 12346.0]),
        "opt_elem": np.array(["G130M", None, "MIRRORA"], dtype=object),
        "cenwave": np.array([1291.0, np.nan, 0.0]),
        "hvlevel": np.array([163.0, 167.0, np.nan]),
        "life_adj": np.array([3.0, -1.0, np.nan]),
    }


def test_points_tell_what_is_known_of_their_exposures() -> None:
    columns = _columns()
    points = points_of(
        columns, columns["mjd"], np.array([1.0, 2.0, 3.0]), outlier=np.array([True, False, False])
    )
    assert points.notes is not None
    assert points.notes.tolist() == [
        "proposal 12345, G130M, 1291 Angstrom, HV 163, LP3",
        "ldaaaabaq, HV 167",
        "proposal 12346, MIRRORA",
    ]


def test_a_click_leads_only_to_datasets_that_there_are() -> None:
    columns = _columns()
    points = points_of(
        columns, columns["mjd"], np.array([np.nan, 2.0, 3.0]), outlier=np.array([True, False, True])
    )
    assert points.rootnames is not None
    assert points.outliers is not None
    assert points.rootnames.tolist() == [None, "ldaaaacaq"]
    assert (points.x.tolist(), points.outliers.tolist()) == ([58001.0, 58002.0], [False, True])


_HOT = Rule(name="hot", severity=Severity.WARN, text="above {:g}", thresholds=always(30.0, "here"))


@pytest.mark.parametrize("segments", [{}, {"segment": np.array([None] * 3, dtype=object)}])
def test_an_exposure_need_have_no_segment(segments: dict[str, np.ndarray]) -> None:
    columns = {**_columns(), "file_id": np.arange(3.0), **segments}
    values = values_of("temperature", columns, np.array([20.0, np.nan, 40.0]))
    assert values.segment.tolist() == [None, None]
    assert finding_of(_HOT, columns, 2, "it is hot", 40.0).configuration == ""


def test_a_finding_concerns_the_segment_of_its_exposure() -> None:
    columns = {**_columns(), "segment": np.array(["FUVA", "FUVB", "FUVA"], dtype=object)}
    assert finding_of(_HOT, columns, 1, "it is hot").configuration == "FUVB"
    assert finding_of(_HOT, columns, 1, "it is hot", configuration="").configuration == ""


@pytest.mark.parametrize(
    ("levels", "changed"),
    [
        ([163.0, 163.0, 167.0, 167.0], 2.0),
        ([163.0, np.nan, 163.0, np.nan], None),
        ([163.0, np.nan, 167.0, 167.0], 2.0),
        ([163.0], None),
        ([], None),
    ],
)
def test_a_voltage_that_is_unknown_is_no_change(levels: list[float], changed: float | None) -> None:
    assert (
        voltage_changed({"mjd": np.arange(float(len(levels))), "hvlevel": np.array(levels)})
        == changed
    )
