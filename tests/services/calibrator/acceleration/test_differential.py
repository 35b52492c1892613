"""Accelerated CalCOS does what plain CalCOS does with files of other forms than it was proven on.

``python -m benchmarks.calibration.differential`` goes on with it for an hour.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.calibration.differential.outcome import compare, run_both
from benchmarks.calibration.differential.tables import change_column
from benchmarks.calibration.differential.trials import run_trial
from benchmarks.calibration.differential.visits import NUV, prepare

pytestmark = pytest.mark.e2e

SEEDS = (113, 120, 126, 137, 161, 118, 102, 105, 109, 2, 5)
"""Most of them differed before the replacements looked at what they are given."""

COLUMNS: dict[str, tuple[str, str, str, str]] = {
    "times of TDSTAB": ("NUV corrected", "*_tds.fits", "TIME", "halved"),
    "dispersion of DISPTAB": ("NUV corrected", "*_disp.fits", "D_TV03", "scaled"),
    "lamp template": ("NUV TAGFLASH", "*_lamp.fits", "INTENSITY", "scaled"),
    "height of XTRACTAB": ("NUV corrected", "*_1dx.fits", "HEIGHT", "unsigned"),
    "location in XTRACTAB": ("NUV corrected", "*_1dx.fits", "B_SPEC", "halved"),
    "sensitivity of FLUXTAB": ("NUV corrected", "*_phot.fits", "WAVELENGTH", "halved"),
    "double precision": ("NUV corrected", "*_corrtag*", "XFULL", "double"),
    "scaled times": ("NUV corrected", "*_corrtag*", "TIME", "scaled"),
    "scaled weights": ("NUV corrected", "*_corrtag*", "EPSILON", "halved"),
    "unsigned flags": ("NUV corrected", "*_corrtag*", "DQ", "unsigned"),
    "scaled raw times": ("NUV auto wavecal", "*a0q_rawtag*", "TIME", "halved"),
}
"""Visit, file, column and form."""


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("visits")


@pytest.mark.parametrize("name", COLUMNS)
def test_column(name: str, visits: Path, tmp_path: Path) -> None:
    visit_name, pattern, column, form = COLUMNS[name]
    visit = prepare(visit_name, visits).copy(tmp_path)
    (path,) = [*visit.raw.glob(pattern), *visit.references.glob(pattern)]
    assert change_column(path, np.random.default_rng(1), 1, column, form)
    assert _differences(visit.association or visit.inputs[0], visit.references, tmp_path) == []


def test_one_text_file_of_several_exposures(visits: Path, tmp_path: Path) -> None:
    visit = prepare("NUV TAGFLASH", visits)
    assert visit.association is not None
    found = _differences(visit.association, visit.references, tmp_path, livetimefile="live.txt")
    assert found == []


@pytest.mark.parametrize("seed", SEEDS)
def test_random_forms(seed: int, visits: Path, tmp_path: Path) -> None:
    report = run_trial(seed, list(NUV), visits, tmp_path / "trial")
    assert report["different"] == [], report


def _differences(target: Path, references: Path, folder: Path, **arguments: Any) -> list[str]:
    plain, fast = run_both(target, references, folder / "run", arguments, processes=2)
    assert plain.files
    assert [name for name in arguments.values() if name not in plain.files] == []
    return compare(plain, fast, processes=2)
