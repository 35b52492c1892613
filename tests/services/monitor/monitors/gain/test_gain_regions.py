"""Outliers among the gains of regions: which exposures stand out from their neighbours."""

import numpy as np
import pytest

from services.monitor.monitors.gain.regions import regions_of

_BLOCKS, _REGION_ERROR = 7, 0.1


def _regions_off(off: np.ndarray, gratings: np.ndarray | None = None) -> np.ndarray:
    """Return which exposures have an outlier in any region, where each is off as a whole by some
    bins.

    Shape (n,) both.
    """
    exposures = len(off)
    generator = np.random.default_rng(8)
    gain = np.linspace(9.0, 8.0, exposures)[:, None] + generator.normal(
        0.0, _REGION_ERROR, (exposures, _BLOCKS)
    )
    gain += off[:, None]
    number, block = (place.ravel() for place in np.indices(gain.shape))
    medians = {
        "file_id": number.astype(float),
        "position": np.full(len(number), 4.0),
        "block": block.astype(float),
        "median": gain.ravel(),
        "error": np.full(len(number), _REGION_ERROR),
    }
    files = {
        "file_id": np.arange(exposures, dtype=float),
        "rootname": np.array([f"le{one:06d}q" for one in range(exposures)], dtype=object),
        "segment": np.full(exposures, "FUVA", dtype=object),
        "mjd": 58100.0 + 3.0 * np.arange(exposures),
        "hvlevel": np.full(exposures, 167.0),
        "life_adj": np.full(exposures, 4.0),
        "cenwave": np.full(exposures, 1291.0),
        "aperture": np.full(exposures, "PSA", dtype=object),
        "opt_elem": np.full(exposures, "G130M", dtype=object) if gratings is None else gratings,
    }
    outlier: np.ndarray = np.any(
        [region.values.outlier for region in regions_of("FUVA", medians, files)], axis=0
    )
    return outlier


@pytest.mark.parametrize(
    "common", [0.0, 0.1], ids=["chance", "exposures that are off a bit as a whole"]
)
def test_what_is_off_in_all_regions_is_an_outlier(common: float) -> None:
    """A step of the voltage leaves each region off by less than it takes there."""
    off = np.random.default_rng(9).normal(0.0, common, 200)
    stepped = [60, 61, 140]
    off[stepped] -= 0.4 if not common else 1.0
    outlier = _regions_off(off)
    assert outlier[stepped].all()
    assert np.delete(outlier, stepped).mean() <= 0.01


def test_a_visit_that_is_off_does_not_make_others_outliers() -> None:
    off = np.zeros(200)
    off[100:104] -= 1.5
    assert np.flatnonzero(_regions_off(off)).tolist() == [100, 101, 102, 103]


def test_exposures_of_a_rare_setting_are_not_each_others_scatter() -> None:
    off, gratings = np.zeros(100), np.full(100, "G130M", dtype=object)
    gratings[[30, 60]] = "G160M"
    off[60] -= 0.4
    assert np.flatnonzero(_regions_off(off, gratings)).tolist() == [60]


def test_a_setting_whose_exposures_are_off_as_a_whole_has_its_own_scatter() -> None:
    """Light of one grating falls where the gain differs from row to row."""
    gratings = np.where(np.arange(300) % 3 == 0, "G160M", "G130M").astype(object)
    off = np.where(gratings == "G160M", np.random.default_rng(9).normal(0.0, 0.1, 300), 0.0)
    off[[101, 200]] -= 0.6
    assert np.flatnonzero(_regions_off(off, gratings)).tolist() == [101, 200]
