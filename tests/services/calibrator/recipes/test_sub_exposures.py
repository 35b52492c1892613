"""Sub-exposures through the real CalCOS: what they are made of, and the light curve that comes of
them.
"""

import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.recipes.edits.changes import SubExposure
from services.calibrator.recipes.sub_exposures.runs import split
from services.calibrator.run.references import ReferenceFolder
from services.calibrator.run.workspace import open_workspace
from shared.errors import PermanentError
from simulator.forward.photons import brightness
from simulator.plan import Flash
from simulator.verify.cases import CASES, Case
from tests.services.calibrator.recipes.running import (
    BARE_ENVIRONMENT,
    differ,
    recalibrate,
    simulated,
)

pytestmark = pytest.mark.e2e


def light_curve(products: Path, label: str) -> Any:
    with fits.open(products / f"{label}_lightcurve.fits.gz") as hdus:
        return hdus["LIGHTCURVE"].data.copy()


def variable(name: str, amplitude: float, period: float) -> Case:
    """Return five minutes of the case with its source made a variable one."""
    (plan,) = CASES[name].members
    assert plan.target.spectrum is not None
    spectrum = replace(plan.target.spectrum, amplitude=amplitude, period=period)
    changed = replace(
        plan,
        exptime=300.0,
        flashes=(Flash(0.0, 12.0), Flash(260.0, 272.0)),
        target=replace(plan.target, spectrum=spectrum),
    )
    return replace(CASES[name], members=(changed,))


def test_the_light_curve_of_a_variable_source_is_recovered_and_can_be_taken_home(
    tmp_path: Path,
) -> None:
    case = variable("NUV G185M/1850 TAGFLASH", 0.6, 300.0)
    (plan,) = case.members
    assert plan.target.spectrum is not None
    raw, references, label = simulated(case, tmp_path)
    _, products = recalibrate(
        {"sub_exposures": {"every": 100.0}}, raw, references, label, tmp_path / "run"
    )
    table = light_curve(products, label)
    with fits.open(products / f"{label}_x1d.fits.gz") as hdus:
        spectra = hdus[1].data.copy()
    for stripe in ("NUVA", "NUVB", "NUVC"):
        rows = table[table["segment"] == stripe]
        assert np.allclose(rows["exptime"], 100.0, atol=0.5)
        seconds = (rows["mjd"] - plan.start) * 86400.0
        expected = np.array(
            [
                brightness(plan.target.spectrum, t + np.linspace(-50, 50, 501)).mean()
                for t in seconds
            ]
        )
        for value, error in (("net", "net_error"), ("flux", "flux_error")):
            relative = rows[value] / rows[value].mean() * expected.mean()
            sigma = rows[error] / rows[value].mean() * expected.mean()
            assert sigma.max() < 0.05
            assert np.abs((relative - expected) / sigma).max() < 4.0
        assert rows["net"].max() / rows["net"].min() > 2.0
        whole = next(row for row in spectra if str(row["SEGMENT"]).strip() == stripe)
        assert rows["counts"].sum() == pytest.approx(
            whole["GCOUNTS"][whole["DQ_WGT"] > 0].sum(), rel=2e-3
        )

    with tarfile.open(products / f"{label}_export.tar.gz") as archive:
        archive.extractall(tmp_path)
    out = tmp_path / "out"
    again = subprocess.run(
        [sys.executable, "reproduce.py", tmp_path / "references", out],
        cwd=tmp_path / label,
        env=BARE_ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    parts = sorted(products.glob(f"{label}_s00?_x1d.fits.gz"))
    assert len(parts) == 3
    assert [path.name for path in parts if differ(path, out / "parts" / path.stem)] == []


@pytest.fixture(scope="module")
def both_segments(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Path], ReferenceFolder, str]:
    return simulated(CASES["FUV G130M/1327 LP1 TAGFLASH BOXCAR"], tmp_path_factory.mktemp("fuv"))


def test_ranges_of_pulse_heights_add_up_to_the_whole(
    both_segments: tuple[dict[str, Path], ReferenceFolder, str], tmp_path: Path
) -> None:
    raw, references, label = both_segments
    division = {"pulse_heights": [[2, 12], [13, 23]], "wavelengths": [1180, 1460]}
    _, products = recalibrate({"sub_exposures": division}, raw, references, label, tmp_path)
    table = light_curve(products, label)
    assert sorted(set(table["part"])) == [f"{label}_s00{number}" for number in (1, 2)]
    with fits.open(products / f"{label}_x1d.fits.gz") as hdus:
        whole = {str(row["SEGMENT"]).strip(): row for row in hdus[1].data}
    for segment in ("FUVA", "FUVB"):
        rows, spectrum = table[table["segment"] == segment], whole[segment]
        used = (
            (spectrum["DQ_WGT"] > 0)
            & (spectrum["WAVELENGTH"] >= 1180)
            & (spectrum["WAVELENGTH"] < 1460)
        )
        assert rows["counts"].sum() == pytest.approx(spectrum["GCOUNTS"][used].sum(), rel=1e-3)
        assert rows["net"].sum() == pytest.approx(spectrum["NET"][used].sum(), rel=0.01)
    for path in products.glob(f"{label}_s001_corrtag_?.fits.gz"):
        with fits.open(path) as hdus:
            events = hdus["EVENTS"].data
            assert (events["PHA"].min(), events["PHA"].max()) == (2, 12)
            assert hdus["EVENTS"].header["EXPTIME"] == pytest.approx(600.0)


def test_a_segment_without_events_is_told(tmp_path: Path) -> None:
    with open_workspace(tmp_path, "ldfd01vnq") as workspace:
        for side, height in (("a", 8), ("b", 20)):
            columns = [
                fits.Column("TIME", "1E", array=[1.0, 2.0]),
                fits.Column("PHA", "1B", array=[height] * 2),
            ]
            header = fits.Header([("EXPTIME", 10.0), ("EXPSTART", 58000.0)])
            events = fits.BinTableHDU.from_columns(columns, header, name="EVENTS")
            primary = fits.PrimaryHDU(header=fits.Header([("SEGMENT", f"FUV{side.upper()}")]))
            workspace.outdir.mkdir(exist_ok=True)
            fits.HDUList([primary, events]).writeto(
                workspace.outdir / f"ldfd01vnq_corrtag_{side}.fits"
            )
        part = SubExposure("ldfd01vnq_s001", "ldfd01vnq", 0.0, 10.0, None, None, (2, 12))
        intervals, files, empty = split(part, workspace, tmp_path)
    assert intervals == [(0.0, 10.0)]
    assert [path.name for path in files] == ["ldfd01vnq_s001_corrtag_a.fits"]
    assert empty == ["ldfd01vnq_s001_corrtag_b.fits"]


def test_more_pulse_heights_than_are_left_are_refused(
    both_segments: tuple[dict[str, Path], ReferenceFolder, str], tmp_path: Path
) -> None:
    raw, references, label = both_segments
    with pytest.raises(PermanentError, match="omit PHACORR as well"):
        recalibrate(
            {"sub_exposures": {"pulse_heights": [[0, 30]]}}, raw, references, label, tmp_path
        )


def test_the_night_of_a_real_exposure(
    data_dir: Path, references: ReferenceFolder, tmp_path: Path
) -> None:
    raw = {path.name: path for path in (data_dir / "ldfd01010" / "raw").glob("ldfd01vnq_[rs]*")}
    recipe = {"sub_exposures": {"orbit": ["night"], "target_altitude": [[-90, 30], [30, 180]]}}
    result, products = recalibrate(recipe, raw, references, "ldfd01vnq", tmp_path)
    assert [text for text in result.warnings if "ldfd01vnq_s001 is left out" in text]
    table = light_curve(products, "ldfd01vnq")
    assert list(table["part"]) == ["ldfd01vnq_s002"]
    with fits.open(products / "ldfd01vnq_corrtag_a.fits.gz") as hdus:
        timeline = hdus["TIMELINE"].data
        night = timeline["TIME"][timeline["SUN_ALT"] < 0]
    assert table["exptime"][0] == pytest.approx(len(night), abs=1.0)
    assert table["start"][0] == pytest.approx(night[0])
    with fits.open(products / "ldfd01vnq_s002_corrtag_a.fits.gz") as hdus:
        # CalCOS makes a new table; its first and last row may lie beyond the chosen times.
        assert (hdus["TIMELINE"].data["SUN_ALT"][2:-2] < 0).all()
        assert hdus["EVENTS"].data["TIME"].min() >= night[0]
