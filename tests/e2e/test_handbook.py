"""The handbook's own examples of recalibration, over HTTP, on a real association.

And their pages in a browser.

They take CalCOS minutes: COSMO_TEST_HANDBOOK=1 runs them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.monitor.response_models.calibrations import CalibrationDetail
from services.monitor.response_models.comparisons import ComparisonRecord
from tests.e2e.browser import Browser
from tests.e2e.plots import plots

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        os.environ.get("COSMO_TEST_HANDBOOK") != "1", reason="COSMO_TEST_HANDBOOK=1 runs it"
    ),
]

Running = Any


@dataclass(frozen=True)
class Calibrated:
    """A recalibration that is done, and its comparison with the default run."""

    record: CalibrationDetail
    compared: ComparisonRecord


Calibrate = Callable[[dict[str, Any]], Calibrated]
ROOT = "ldfd01010"
BOXCAR = {
    "keywords": {"XTRCTALG": "BOXCAR"},
    "switches": {"TRCECORR": "OMIT", "ALGNCORR": "OMIT"},
    "extraction": {"boxcar": {"FUVA": {"HEIGHT": 57}}},
}
NARROW = {
    "extraction": {
        "twozone": {
            "FUVA": {"LOWER_OUTER": 0.1, "LOWER_INNER": 0.1, "UPPER_INNER": 0.9, "UPPER_OUTER": 0.9}
        },
    }
}


@pytest.fixture(scope="module")
def calibrate(processed: Running) -> Calibrate:
    """Run of a recipe to its end."""

    def run(recipe: dict[str, Any]) -> Calibrated:
        client = processed.client
        found = client.recalibrate(ROOT, recipe)
        processed.wait(
            lambda: client.calibration(found.id).state in ("done", "failed"),
            "the recalibration",
        )
        done = client.calibration(found.id)
        assert done.state == "done", done.error
        assert done.run_id is not None
        return Calibrated(done, client.compare(ROOT, done.run_id))

    return run


def header(found: Calibrated, keyword: str) -> tuple[Any, Any]:
    """Return the value of a keyword in both spectra, where they differ."""
    return next(
        (item.first, item.second) for item in found.compared.headers if item.keyword == keyword
    )


def test_switch_to_boxcar(calibrate: Calibrate) -> None:
    found = calibrate(BOXCAR)
    assert header(found, "XTRCTALG") == ("TWOZONE", "BOXCAR")
    (segment,) = found.compared.segments
    assert segment.mean_ratio == pytest.approx(1.0, abs=0.03)
    one, other = (totals.net for totals in segment.totals)
    assert other == pytest.approx(one, rel=0.01)
    assert {
        change["keyword"] for change in found.record.changes if change["change"] == "HeaderEdit"
    } >= {
        "XTRCTALG",
        "TRCECORR",
        "ALGNCORR",
        "XTRACTAB",
    }


def test_without_the_first_two_exposures(calibrate: Calibrate) -> None:
    found = calibrate({"members": {"drop": ["ldfd01vnq", "ldfd01vpq"]}})
    names = {file.name[:9] for file in found.record.files if file.suffix == "x1d"}
    assert names == {"ldfd01vrq", "ldfd01vtq"}
    before, after = header(found, "EXPTIME")
    assert 0.5 < after / before < 0.6  # the last two are longer
    (segment,) = found.compared.segments
    assert segment.mean_ratio == pytest.approx(1.0, abs=0.1)
    one, other = (totals.gcounts for totals in segment.totals)
    assert one is not None
    assert other is not None
    assert other / one == pytest.approx(after / before, rel=0.1)  # the source varies


def test_another_flat(
    calibrate: Calibrate, processed: Running, data_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "twice_flat.fits"
    with fits.open(data_dir / "references" / "z6n16117l_flat.fits.gz") as hdus:
        for hdu in hdus[1:]:
            hdu.data = np.asarray(hdu.data * 2.0, np.float32)
        hdus.writeto(path)
    uploaded = processed.client.upload_reference(path, "FLATFILE")
    found = calibrate({"references": {"FLATFILE": uploaded.name}})
    assert found.record.references["twice_flat.fits"]["sha256"] == uploaded.sha256
    (segment,) = found.compared.segments
    assert segment.mean_ratio == pytest.approx(0.5, abs=1e-3)


def test_narrow_zones_and_the_pages(
    calibrate: Calibrate, processed: Running, browser: Browser
) -> None:
    found = calibrate({**NARROW, "sub_exposures": {"every": 600}})
    (segment,) = found.compared.segments
    one, other = segment.totals
    assert one.background is not None
    assert other.background is not None
    assert other.background < 0.6 * one.background
    assert segment.mean_ratio == pytest.approx(1.0, abs=0.06)
    curve = processed.client.light_curve(found.record.id).items
    assert {row.exposure for row in curve} == {
        "ldfd01vnq",
        "ldfd01vpq",
        "ldfd01vrq",
        "ldfd01vtq",
    }
    for width in (1200, 400):
        browser.resize(width, 900)
        browser.open(f"{processed.machine.url}/calibrations/{found.record.id}")
        for plot in plots(browser):
            plot.show()
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.errors == []
        browser.open(
            f"{processed.machine.url}/datasets/{ROOT}/comparison?second={found.record.run_id}"
        )
        for plot in plots(browser):
            plot.show()
        browser.evaluate("document.querySelector('img.wide').scrollIntoView()")
        browser.wait("document.querySelector('img.wide').naturalWidth > 500")
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert "TWOZXTAB" in browser.evaluate("document.body.innerText")
        assert browser.errors == []
