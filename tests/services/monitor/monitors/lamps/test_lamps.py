"""Monitor of lamps on flashes of real exposures, and on flashes whose truth is known.

Rates of real exposures are the sums of NET of their tables; the arithmetic is done here.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.monitor.figures.description import figure_to_json
from services.monitor.framework.declaration import RunOutput
from services.monitor.monitors import monitors
from services.monitor.monitors.lamps.trends import fit_line
from shared.database.models.monitoring import Severity
from tests.services.ingestor.bench import extract_file, rows_of, sample
from tests.services.monitor.monitors.flashes import (
    Flashes,
    flashes_of,
    made_up,
    real_flashes,
    value_of,
)

Row = dict[str, Any]

_REPORTS = ("100047aa", "122687b1", "152717t0", "153067a8", "162567b1")


def _exposures(rows: list[Row]) -> Flashes:
    """Return columns of exposures in which a lamp was on."""
    texts = ("rootname", "exptype", "lampused", "lampset")
    numbers = ("file_id", "mjd", "exptime", "lamp_seconds", "numflash")
    return {name: np.array([row[name] for row in rows], dtype=object) for name in texts} | {
        name: np.array([row.get(name, np.nan) for row in rows], dtype=float) for name in numbers
    }


def _exposure(number: int, mjd: float, **changed: Any) -> Row:
    return {
        "file_id": number,
        "rootname": f"ld{number:06d}q",
        "mjd": mjd,
        "exptype": "EXTERNAL/SCI",
        "exptime": 1000.0,
        "lamp_seconds": 24.0,
        "numflash": 2,
        "lampused": "P1",
        "lampset": "Medium",
    } | changed


def _compute(
    flashes: Flashes, exposures: list[Row] | None = None, commands: dict[str, float] | None = None
) -> RunOutput:
    """Compute with the lengths of flashes that the schedule commands, s, by rootname."""
    known = commands or {}
    inputs = {
        "flashes": flashes,
        "exposures": _exposures(exposures or []),
        "commands": {
            "rootname": np.array(list(known), dtype=object),
            "flash_duration": np.array(list(known.values()), dtype=float),
        },
    }
    return monitors()["lamps"].compute(inputs)


def _commands(data_dir: Path) -> dict[str, float]:
    return {
        row["rootname"]: np.nan if row["flash_duration"] is None else row["flash_duration"]
        for report in _REPORTS
        for row in rows_of(extract_file(data_dir / "sms" / f"{report}.txt"), "sms")
    }


def test_rates_of_real_flashes(data_dir: Path) -> None:
    values = _compute(real_flashes(data_dir)).values
    for root, segment, rates in (
        ("ld1ce4dkq", "FUVA", (113.445, 111.404)),
        ("ld1ce4dkq", "FUVB", (52.593, 54.621)),
        ("ld1ce1rcq", "FUVA", (113.522, 106.520)),
        ("lb4c10niq", "NUVA", (594.931,)),
        ("lb4c10niq", "NUVB", (1085.570,)),
        ("lb4c10niq", "NUVC", (34.771,)),
        ("ldfd01vnq", "FUVA", (330.134, 323.678, 340.196)),
    ):
        table = fits.getdata(sample(data_dir, f"{root}_lampflash"), 1)
        mine = [row for row in table if row["SEGMENT"].strip() == segment]
        for number, expected in enumerate(rates, 1):
            rate, error = value_of(values, "rate", root, segment, f"flash {number}")
            assert rate == pytest.approx(expected, abs=6e-4)
            counts = float(mine[number - 1]["GROSS"].sum()) * mine[number - 1]["EXPTIME"]
            assert error == pytest.approx(np.sqrt(counts) / mine[number - 1]["EXPTIME"], rel=1e-4)


def test_first_flash_over_the_later_ones(data_dir: Path) -> None:
    """330.134 over the mean of 323.678 and 340.196; 113.445 over 111.404."""
    values = _compute(real_flashes(data_dir)).values
    ratio, error = value_of(values, "warm_up", "ldfd01vnq", "FUVA", None)
    assert ratio == pytest.approx(330.134 / ((323.678 + 340.196) / 2.0), abs=2e-5)
    # Relative errors of 2263 counts over 7 s, and of 2223 and 2126 over 7 and 6.392 s.
    later = np.hypot(np.sqrt(2223.0) / 7.0, np.sqrt(2126.0) / 6.392) / (323.678 + 340.196)
    assert error == pytest.approx(
        ratio * np.hypot(np.sqrt(2263.0) / 7.0 / 330.134, later), rel=1e-3
    )
    assert value_of(values, "warm_up", "ld1ce4dkq", "FUVA", None)[0] == pytest.approx(
        113.445 / 111.404, abs=2e-5
    )


def test_lengths_of_real_flashes(data_dir: Path) -> None:
    """The schedule commands 22 s for lcwj02qvq, whose flash lasts 26.2 s; ldfd01vnq is not in it.

    The last flash of ldfd01vnq, 6.392 s, was cut off by the end of the exposure.
    """
    commands = _commands(data_dir)
    assert commands["lcwj02qvq"] == 22.0
    exposures = [_exposure(1, 57934.2, rootname="ldfd01vnq", exptime=1116.192)]
    for durations, rootnames in (
        (commands, {"lcwj02qvq"}),
        ({"ldfd01vnq": 7.0}, set[str]()),
        ({"ldfd01vnq": 9.0}, {"ldfd01vnq"}),
    ):
        found = _compute(real_flashes(data_dir), exposures, durations)
        outliers = {str(root) for one in found.values for root in one.rootname[one.outlier]}
        assert outliers == rootnames
    assert value_of(found.values, "length", "ldfd01vnq", "FUVA", "flash 3")[0] == pytest.approx(
        6.392, abs=1e-3
    )


def test_copied_flashes_enter_no_statistic(data_dir: Path) -> None:
    found = _compute(real_flashes(data_dir, ["lbhx26fmq"]))
    assert {name: one["mission"]["n"] for name, one in found.statistics.items()} == {
        "P1 Medium FUVA G140L 1280 LP2 rate": 2,
        "left out, copied: rate": 2,
    }
    scale = value_of(found.values, "template_scale", "lbhx26fmq", "FUVA", "flash 1")
    assert scale == pytest.approx((0.00669057, 0.00023954), rel=1e-4)


def _fading(years: float = 4.0, slope: float = -0.02, count: int = 200) -> list[Row]:
    """Return flashes of a lamp that loses a part of its light each year, with Poisson counts."""
    random = np.random.default_rng(6)
    rows = []
    for number, age in enumerate(np.linspace(0.0, years, count).tolist(), 1):
        rate = float(random.poisson(1200.0 * (1.0 + slope * age))) / 12.0
        rows.append(made_up(number, date=58000.0 + 365.25 * age, rate=rate, gross=rate))
    return rows


def test_fading_is_recovered_within_its_error() -> None:
    """2 % of the first rate in a year, and the median of the first year is 1 % below that."""
    rows = _fading()
    exposures = [
        _exposure(row["file_id"], row["date"], lamp_seconds=360.0, rootname=row["rootname"])
        for row in rows
    ]
    found = _compute(flashes_of(rows), exposures)
    region = "P1 Medium FUVA G130M 1291 LP4"
    slope, error = value_of(found.values, "trend", None, None, region)
    assert abs(slope + 2.0 / 0.99) < 3.0 * error
    # Errors of 2.9 % at 200 points evenly over 4 years, whose standard deviation is 4 / root 12.
    assert error == pytest.approx(100.0 * 0.0295 / np.sqrt(200.0) / (4.0 / np.sqrt(12.0)), rel=0.15)
    # 200 exposures of 0.1 h in 4 years: 5 h a year.
    slope_hours, error_hours = value_of(found.values, "trend_hours", None, None, region)
    assert slope_hours == pytest.approx(slope * 100.0 / 5.0, rel=0.02)
    assert error_hours == pytest.approx(error * 100.0 / 5.0, rel=0.02)
    assert found.findings == []


def test_slopes_are_within_their_errors() -> None:
    random = np.random.default_rng(3)
    x, error = np.linspace(0.0, 5.0, 40), random.uniform(0.01, 0.05, 40)
    pulls = []
    for _ in range(200):
        slope, one_sigma = fit_line(x, 1.0 - 0.03 * x + random.normal(0.0, error), error)
        pulls.append((slope + 0.03) / one_sigma)
    assert np.mean(np.abs(pulls) < 1.0) == pytest.approx(0.7, abs=0.1)
    assert np.max(np.abs(pulls)) < 4.0


def test_hours_by_lamp_and_current() -> None:
    """Flashes count their own time, exposures to the lamp all of theirs; others none."""
    exposures = [
        _exposure(1, 58001.0, lamp_seconds=36.0),
        _exposure(2, 58002.0, exptype="WAVECAL", exptime=3600.0, lamp_seconds=np.nan),
        _exposure(3, 58003.0, lamp_seconds=np.nan),
        _exposure(4, 58004.0, lamp_seconds=72.0, numflash=6),
        _exposure(5, 58005.0, lamp_seconds=18.0, lampset="Low"),
        _exposure(6, 58006.0, lamp_seconds=9.0, lampused="P2"),
    ]
    found = _compute(flashes_of([made_up(4), made_up(9)]), exposures)
    hours = {
        (one.region[0], str(root)): float(value)
        for one in found.values
        if one.quantity == "hours"
        for root, value in zip(one.rootname, one.value, strict=True)
    }
    assert hours == pytest.approx(
        {
            ("P1 Medium", "ld000001q"): 0.01,
            ("P1 Medium", "ld000002q"): 1.01,
            ("P1 Medium", "ld000004q"): 1.03,
            ("P1 Low", "ld000005q"): 0.005,
            ("P2 Medium", "ld000006q"): 0.0025,
        }
    )
    # Two and six flashes, each known to 0.2 s over the root of 6.
    (medium,) = [one for one in found.values if one.quantity == "hours" and len(one.value) == 3]
    assert medium.error[-1] == pytest.approx(0.2 / np.sqrt(6.0) * np.sqrt(8.0) / 3600.0)
    (figure,) = [one for one in found.figures if one.name == "rate-hours"]
    # Before the fourth exposure it had burnt 1.01 h, and 1.03 h after it.
    assert [x for layer in figure.panels[0].layers if layer.kind == "points" for x in layer.x] == (
        pytest.approx([1.01, 1.03])
    )


@pytest.mark.parametrize(
    ("changed", "rules"),
    [
        ({"rate": 4.0, "gross": 4.5}, [("faint", Severity.INFO), ("low", Severity.WARN)]),
        ({"rate": 40.0, "gross": 40.0}, [("low", Severity.WARN)]),
        ({"rate": 60.0, "gross": 60.0}, []),
        ({"rate": 40.0, "life_adj": -1}, []),
        ({"rate": 4.0, "found": False, "has_lines": False}, []),
        ({"rate": 40.0, "life_adj": 99}, []),
        ({"exptime": 14.0}, [("length", Severity.WARN)]),
        ({"exptime": 12.8}, []),
        ({"exptime": 9.0, "lamp_off": 20.0}, [("length", Severity.WARN)]),
        ({"exptime": 9.0, "lamp_off": 999.8}, []),
    ],
)
def test_rules(changed: Row, rules: list[tuple[str, Severity]]) -> None:
    """Of flashes of 100 counts/s for 12 s, as the schedule commands, in exposures of 1000 s."""
    rows = [made_up(number, lamp_off=13.0) for number in range(1, 41)]
    rows[4] |= changed
    rows[38] |= changed
    exposures = [_exposure(number, 58000.0 + number) for number in range(1, 41)]
    commands = {row["rootname"]: 12.0 for row in rows}
    found = _compute(flashes_of(rows), exposures, commands)
    assert [(one.rule, one.severity, one.rootname) for one in found.findings] == [
        (rule, severity, "ld000039q") for rule, severity in rules
    ]  # the other one is older than 30 days
    outliers = {str(root) for one in found.values for root in one.rootname[one.outlier]}
    assert outliers == ({"ld000005q", "ld000039q"} if rules else set())


@pytest.mark.parametrize(
    "rows",
    [
        [made_up(1)],
        [made_up(1, "NUVC", life_adj=None, lampused=None, lampset=None, cenwave=None)],
        [made_up(1, found=False, has_lines=False)],
        [made_up(1, rate=None, gross=None, exptime=None, template_scale=None)],
    ],
)
def test_a_single_exposure_is_readable(rows: list[Row]) -> None:
    found = _compute(flashes_of(rows))
    assert found.newest_mjd == 58001.0
    assert [json.loads(figure_to_json(figure))["name"] for figure in found.figures] == [
        "rate",
        "rate-hours",
        "hours",
        "template",
    ]
    assert found.findings == []
