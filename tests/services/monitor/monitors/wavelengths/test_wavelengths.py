"""Residuals of lines whose truth is known, and dispersion relations that are corrected by them."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import String

from services.monitor.figures.description import figure_to_json
from services.monitor.framework.declaration import RunOutput
from services.monitor.library.revised_tables import read_active
from services.monitor.monitors import monitors
from shared.database.models.monitoring import Severity
from shared.database.models.science import LinePosition
from tests.services.monitor.monitors.flashes import value_of

Row = dict[str, Any]

_PLACES = (1500.0, 5000.0, 8500.0, 12000.0, 15500.0)
_SCALE = 0.08
"""Angstrom in a pixel."""


def exposure(number: int, off: float, stretch: float = 0.0, **changed: Any) -> list[Row]:
    """Return five lines that are some pixels off, and more so from the middle one on."""
    return [
        {
            "file_id": number,
            "rootname": f"ld{number:06d}q",
            "date": 58000.0 + number,
            "proposid": 12345,
            "detector": "FUV",
            "segment": "FUVA",
            "opt_elem": "G140L",
            "cenwave": 1105,
            "fppos": 3,
            "life_adj": 3,
            "aperture": "PSA",
            "source": "WD0308-565",
            "catalogue": 1100.0 + _SCALE * place,
            "measured": 1100.0 + _SCALE * (place + off + stretch * (place - 8500.0)),
            "error": 0.1 * _SCALE,
            "dispersion": _SCALE,
            "position": place,
            "counts": 900.0,
            "disptab": "xaa18189l_disp.fits",
        }
        | changed
        for place in _PLACES
    ]


def columns_of(rows: list[Row]) -> dict[str, np.ndarray]:
    """Return rows of ``line_positions``, with ``file_id``, as the monitor is given them."""
    columns = {}
    for column in LinePosition.__table__.columns:
        values = [row.get(column.name) for row in rows]
        text = isinstance(column.type, String)
        columns[column.name] = np.array(
            values if text else [np.nan if one is None else one for one in values],
            dtype=object if text else float,
        )
    return columns | {"mjd": columns["date"]}


def _compute(rows: list[Row], tables: list[Path] | None = None) -> RunOutput:
    inputs = {"lines": columns_of(rows), "DISPTAB": read_active(tables or [])}
    return monitors()["wavelength"].compute(inputs)


def _rows(off: float, count: int = 20, **changed: Any) -> list[Row]:
    random = np.random.default_rng(2)
    return [
        row
        for number in range(1, count + 1)
        for row in exposure(number, off + float(random.normal(0.0, 0.1)), **changed)
    ]


def test_mean_velocity_and_slope_of_a_spectrum() -> None:
    found = _compute(exposure(1, 2.0, stretch=2e-4))
    key = ("ld000001q", "FUVA", "WD0308-565")
    residual, error = value_of(found.values, "residual", *key)
    assert residual == pytest.approx(2.0)
    # Of five lines with errors of 0.1 pix and the scatter of 0.15, all on one slope.
    assert error == pytest.approx(np.hypot(0.1, 0.15) / np.sqrt(5.0))
    slope, slope_error = value_of(found.values, "slope", *key)
    assert slope == pytest.approx(0.2)
    spread = 2.0 * (7000.0**2 + 3500.0**2)  # of the places about the middle one
    assert slope_error == pytest.approx(1000.0 * np.hypot(0.1, 0.15) / np.sqrt(spread))
    # 299792.458 times the mean of (0.08 x residual) / wavelength.
    expected = np.mean(
        [
            299792.458 * _SCALE * (2.0 + 2e-4 * (place - 8500.0)) / (1100.0 + _SCALE * place)
            for place in _PLACES
        ]
    )
    assert value_of(found.values, "velocity", *key)[0] == pytest.approx(expected)
    assert value_of(found.values, "lines", *key)[0] == 5.0
    assert found.findings == []
    assert {figure.name for figure in found.figures} == {"wavelength", "velocity", "date", "slope"}
    assert all(json.loads(figure_to_json(figure))["panels"] for figure in found.figures)


@pytest.mark.parametrize(("off", "alarmed"), [(2.5, False), (3.5, True), (-3.5, True)])
def test_a_spectrum_that_is_off(off: float, alarmed: bool) -> None:
    found = _compute([*_rows(0.0), *exposure(30, off)])
    assert [(one.rule, one.rootname, one.severity) for one in found.findings] == (
        [("wavelengths", "ld000030q", Severity.ALERT)] if alarmed else []
    )
    outliers = {str(root) for one in found.values for root in one.rootname[one.outlier]}
    assert outliers == ({"ld000030q"} if alarmed else set())


def test_an_engineering_position_enters_no_statistic() -> None:
    found = _compute([*_rows(0.0), *exposure(30, 50.0, life_adj=-1)])
    assert found.findings == []
    key = ("ld000030q", "FUVA", "WD0308-565, engineering position")
    assert value_of(found.values, "residual", *key)[0] == pytest.approx(50.0)
    assert found.statistics["FUVA G140L 1105 LP3 targets: residual"]["mission"]["n"] == 20
    assert found.statistics["left out, engineering position: residual"]["mission"]["n"] == 1


def test_an_unknown_position_is_counted_as_such() -> None:
    found = _compute(exposure(1, 0.5, life_adj=None))
    assert found.statistics["FUVA G140L 1105 LP unknown targets: residual"]["mission"]["n"] == 1


def test_zero_point_of_a_real_table(data_dir: Path) -> None:
    path = data_dir / "references" / "xaa18189l_disp.fits.gz"
    found = _compute(_rows(4.2), [path])
    (zero,) = [one for one in found.findings if one.rule == "zero-point"]
    assert zero.configuration == "FUVA G140L 1105 LP3 PSA"
    assert zero.value == pytest.approx(4.2, abs=0.1)
    (file,) = found.artifacts
    assert (file.kind, file.name, file.detail["wrong"], file.detail["ready"]) == (
        "DISPTAB",
        "cosmo_fuv_lp3_disp.fits",
        [],
        True,
    )
    assert file.detail["difference"]["rows_changed"] == 1
    with fits.open(path) as old, fits.open(io.BytesIO(file.content)) as new:
        aperture = np.char.strip(old[1].data["APERTURE"])
        segment = np.char.strip(old[1].data["SEGMENT"])
        moved = new[1].data["D"] - old[1].data["D"]
        mine = (aperture == "PSA") & (segment == "FUVA")
        # CalCOS takes the wavelength at pixel + D_TV03 - D: 4.2 pix less.
        assert moved[mine] == pytest.approx(zero.value, abs=1e-3)
        assert not moved[~mine].any()
        np.testing.assert_array_equal(new[1].data["COEFF"], old[1].data["COEFF"])


def test_no_table_where_nothing_is_off_or_too_little_is_known(data_dir: Path) -> None:
    path = data_dir / "references" / "xaa18189l_disp.fits.gz"
    assert _compute(_rows(2.5), [path]).artifacts == []
    assert _compute(_rows(4.2, 4), [path]).artifacts == []
    assert _compute(_rows(4.2, life_adj=-1), [path]).artifacts == []
    assert _compute(_rows(4.2, disptab=None), [path]).artifacts == []
    elsewhere = _compute(_rows(4.2, disptab="elsewhere_disp.fits"), [path])
    assert elsewhere.artifacts == []
    assert [one.configuration for one in elsewhere.findings if one.rule == "not-compared"] == [
        "DISPTAB elsewhere_disp.fits"
    ]
    assert _compute(_rows(4.2, cenwave=1280), [path]).artifacts == []  # no such row


def test_nothing_at_all() -> None:
    assert _compute([]).newest_mjd is None
    assert _compute(exposure(1, 0.0, measured=None)).newest_mjd is None
