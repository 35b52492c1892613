"""Quality monitor on header values whose faults are known."""

import numpy as np
import pytest

from services.monitor.framework.declaration import RunOutput
from services.monitor.monitors import monitors
from shared.database.models.monitoring import Severity

_COUNT = 300
_EXPTIME = 1000.0


def _columns() -> dict[str, np.ndarray]:
    """Return the good FUV exposures with the scatter that is usual."""
    random = np.random.default_rng(2)
    texts = {
        "detector": "FUV",
        "segment": "FUVA",
        "exptype": "EXTERNAL/SCI",
        "expflag": "NORMAL",
        "fgslock": "FINE",
        "shutter": "Open",
        "quality": "OK",
        "detecthv": "NomAB",
        "qualcom1": None,
        "qualcom2": "",
        "qualcom3": None,
        "opt_elem": "G130M",
    }
    numbers = {
        "exptimea": _EXPTIME,
        "exptimeb": _EXPTIME,
        "plantime": _EXPTIME,
        "overflow": 0,
        "bufftime": 900,
        "nevents": 2e5,
        "neventsa": 1e5,
        "neventsb": 1e5,
        "npha_a": 6000,
        "npha_b": np.nan,
        "tbrst_a": 0,
        "tbrst_b": np.nan,
        "tbadt_a": 0,
        "tbadt_b": np.nan,
        "livetm_a": 0.999,
        "livetm_b": np.nan,
        "livetm": np.nan,
        "globrate": np.nan,
        "globrt_a": 100,
        "globrt_b": 100,
        "time_error": 0.1,
        "good_time": _EXPTIME,
        "raw_time": _EXPTIME,
        "raw_intervals": 1,
        "ninterpt": 0,
        "life_adj": 3,
        "proposid": 12345,
        "cenwave": 1291,
    }
    columns = {name: np.full(_COUNT, value, dtype=object) for name, value in texts.items()}
    columns |= {name: np.full(_COUNT, value, dtype=float) for name, value in numbers.items()}
    start = 58000.0 + np.arange(_COUNT)
    return columns | {
        "file_id": np.arange(_COUNT, dtype=float),
        "rootname": np.array([f"ld{number:06d}q" for number in range(_COUNT)], dtype=object),
        "mjd": start,
        "exptime": _EXPTIME + random.uniform(-0.2, 0.2, _COUNT),
        "expend": start + (_EXPTIME + 0.5) / 86400,
    }


def _compute(columns: dict[str, np.ndarray]) -> RunOutput:
    return monitors()["exposure-quality"].compute({"exposures": columns})


def test_good_exposures_alarm_nobody() -> None:
    findings = _compute(_columns())
    assert findings.findings == []
    assert not any(values.outlier.any() for values in findings.values)


@pytest.mark.parametrize(
    ("column", "bad", "good", "rule"),
    [
        ("plantime", 1011.0, 1009.0, "exposure-time"),
        ("expflag", "INTERRUPTED", "NORMAL", "flag"),
        ("nevents", 0.0, 1.0, "no-counts"),
        ("overflow", 1.0, np.nan, "buffer-overflow"),
        ("bufftime", 11000.0, 10000.0, "buffer-time"),
        ("fgslock", "GYROS", None, "guiding"),
        ("shutter", "Closed", "Open", "shutter-closed"),
        ("tbrst_a", 60.0, 40.0, "bursts"),
        ("tbadt_b", 60.0, 40.0, "bad-time"),
        ("npha_a", 33000.0, 32000.0, "pulse-heights"),
        ("exptimeb", 998.0, 0.0, "segments"),
        ("livetm_b", 0.94, 0.96, "live-time"),
        ("quality", "Shutter was late", "", "comment"),
        ("qualcom2", "Guide star lost", "OK", "comment"),
        ("time_error", 1.1, np.nan, "good-time"),
        ("good_time", 0.0, np.nan, "no-good-time"),
        ("raw_time", 998.0, np.nan, "unexplained-gap"),
        ("raw_intervals", 2.0, np.nan, "interruptions"),
        ("neventsb", np.nan, 1.0, "mute-segment"),
        ("neventsa", 0.0, 1e5, "mute-segment"),
    ],
)
def test_rules(column: str, bad: object, good: object, rule: str) -> None:
    columns = _columns()
    columns[column][[100, -3]] = bad
    columns[column][-2] = good
    findings = _compute(columns)
    found = findings.findings
    assert [(one.rule, one.rootname) for one in found] == [
        (rule, "ld000297q")
    ]  # the other one is old
    (number,) = [values for values in findings.values if values.quantity == "rules_hit"]
    assert {place: number.value[place] for place in np.flatnonzero(number.outlier)} == {
        100: 1.0,
        297: 1.0,
    }
    grave = {"mute-segment", "no-good-time", "no-counts", "buffer-overflow", "shutter-closed"}
    assert found[0].severity is (Severity.ALERT if rule in grave else Severity.WARN)


def test_gap_and_exposures_without_time() -> None:
    columns = _columns()
    columns["expend"][-1] += 2.5 / 86400
    columns["raw_time"][-1] += 2.5  # which CalCOS took out
    columns["exptime"][-2], columns["plantime"][-2] = 0.0, 0.0
    columns["expend"][-2] = columns["mjd"][-2]
    rules = [(one.rule, one.rootname) for one in _compute(columns).findings]
    assert rules == [("gap", "ld000299q"), ("no-exposure", "ld000298q")]


def test_an_interruption_that_the_intervals_tell_too_is_one() -> None:
    columns = _columns()
    columns["ninterpt"][-1], columns["raw_intervals"][-1], columns["raw_time"][-1] = 1.0, 2.0, 900.0
    columns["exptime"][-1] = columns["plantime"][-1] = 900.0
    columns["ninterpt"][-2] = 2.0
    found = {(one.rootname, one.rule) for one in _compute(columns).findings}
    odd = {("ld000298q", "interrupted"), ("ld000298q", "interruptions")}
    assert found == odd | {("ld000299q", "gap"), ("ld000299q", "interrupted")}


def test_a_segment_without_voltage_need_not_have_events() -> None:
    columns = _columns()
    columns["neventsb"][-3:] = np.nan
    columns["detecthv"][-3:] = ["NomA", "Low", None]
    assert _compute(columns).findings == []


def test_times_of_acquisitions_are_not_compared_nor_their_segments() -> None:
    columns = _columns()
    columns["exptype"][-1], columns["plantime"][-1], columns["neventsb"][-1] = (
        "ACQ/PEAKXD",
        5.0,
        0.0,
    )
    columns["expend"][-1] += 1.0
    assert _compute(columns).findings == []


def test_differences_are_recovered_and_flagged() -> None:
    columns = _columns()
    faulty = np.arange(40, _COUNT, 40)
    columns["plantime"][faulty] += 50.0
    (found,) = [
        values for values in _compute(columns).values if values.quantity == "time_difference"
    ]
    assert found.value == pytest.approx(
        np.where(np.isin(np.arange(_COUNT), faulty), -50.0, 0.0), abs=0.2
    )
    assert np.flatnonzero(found.outlier).tolist() == faulty.tolist()


def test_nothing_measured_is_no_data() -> None:
    assert _compute({name: values[:0] for name, values in _columns().items()}).newest_mjd is None


def test_rejected_background_of_a_faint_target_is_no_fault() -> None:
    """GJ 436 (ld9m10ujq): 8,013 of 40,450 events of 1,881 s are rejected, as many as of a dark."""
    columns = _columns()
    for name, value in (
        ("exptime", 1881.0),
        ("plantime", 1881.0),
        ("neventsa", 20_000.0),
        ("npha_a", 8_013.0),
    ):
        columns[name][-3] = value
    columns["expend"][-3] = columns["mjd"][-3] + 1881.0 / 86400.0
    assert "pulse-heights" not in {one.rule for one in _compute(columns).findings}
    columns["npha_a"][-3] = 19_000.0 + 12.0 * 1881.0
    assert "pulse-heights" in {one.rule for one in _compute(columns).findings}
