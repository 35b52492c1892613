"""Summaries of spectra in which some bins have no data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from tests.services.ingestor.bench import read_file, rows_of

_GROSS = np.array([[0.5, 1.0, 2.0, 1.0, 0.5], [0.25, 0.25, 0.25, 0.25, 0.25]])
_FLUX = np.array([[0.0, 1e-14, 3e-14, 5e-13, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
_WAVELENGTH = np.array(
    [[1280.0, 1290.0, 1300.0, 1310.0, 1320.0], [1100.0, 1110.0, 1120.0, 1130.0, 1140.0]]
)
_WEIGHT = np.array([[0.0, 1.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
_RATES = {"gross_a": 5.0, "gross_b": 1.25}
_NULL = dict.fromkeys(("flux_mean", "flux_max", "flux_std", "wl_min", "wl_max"))


def _row(folder: Path, **changed: np.ndarray | None) -> dict[str, Any]:
    """Return the row of ``data`` of a spectrum, some columns of which are others or missing."""
    columns = {
        "GROSS": _GROSS,
        "FLUX": _FLUX,
        "WAVELENGTH": _WAVELENGTH,
        "DQ_WGT": _WEIGHT,
    } | changed
    table = fits.BinTableHDU.from_columns(
        [fits.Column("SEGMENT", "4A", array=["FUVA", "FUVB"])]
        + [
            fits.Column(name, "5D", array=values)
            for name, values in columns.items()
            if values is not None
        ],
        name="SCI",
    )
    path = folder / "ldx001aaq_x1d.fits"
    primary = fits.PrimaryHDU()
    primary.header["ROOTNAME"] = path.name[:9]
    fits.HDUList([primary, table]).writeto(path)
    content = read_file(path)
    missing = [name for name, values in columns.items() if values is None]
    assert content.problems == [f"{path.name}: table SCI has no column {name}" for name in missing]
    (row,) = rows_of(content.rows, "data")
    return {name: row.get(name) for name in (*_RATES, *_NULL)}


def test_bins_without_weight_have_a_rate_alone(tmp_path: Path) -> None:
    """The brightest flux is in a bin of weight 0, and a whole segment has no weight."""
    assert _row(tmp_path) == pytest.approx(
        _RATES
        | {
            "flux_mean": 2e-14,
            "flux_max": 3e-14,
            "flux_std": 1e-14,
            "wl_min": 1290.0,
            "wl_max": 1300.0,
        }
    )


def test_values_that_are_not_finite_are_no_data(tmp_path: Path) -> None:
    flux, weight = _FLUX.copy(), _WEIGHT.copy()
    flux[0, 1] = weight[0, 0] = np.nan
    row = _row(tmp_path, FLUX=flux, DQ_WGT=weight)
    assert (row["flux_mean"], row["flux_std"], row["wl_min"]) == (3e-14, 0.0, 1290.0)


@pytest.mark.parametrize(
    "changed",
    [{"DQ_WGT": np.zeros((2, 5))}, {"DQ_WGT": None, "WAVELENGTH": np.zeros((2, 5))}],
    ids=["no weight", "no wavelength"],
)
def test_a_spectrum_without_data_has_rates_alone(
    tmp_path: Path, changed: dict[str, np.ndarray | None]
) -> None:
    assert _row(tmp_path, **changed) == _RATES | _NULL


def test_without_weights_bins_with_a_wavelength_count(tmp_path: Path) -> None:
    wavelength = _WAVELENGTH.copy()
    wavelength[0, 3:] = wavelength[1] = 0.0
    row = _row(tmp_path, DQ_WGT=None, WAVELENGTH=wavelength)
    assert (row["wl_min"], row["wl_max"], row["flux_max"]) == (1280.0, 1300.0, 3e-14)
