"""``cosmo run`` on a folder as public tutorials have it: raw files without support files."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.plan import Flash
from simulator.verify.cases import CASES
from tests.services.calibrator.recipes.running import simulated

pytestmark = pytest.mark.e2e

_CASE = "NUV G185M/1850 TAGFLASH"


def _run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "cosmo",
        "run",
        str(folder / "raw"),
        "--references",
        str(folder / "references"),
    ]
    root = Path(__file__).parents[2]
    return subprocess.run(
        [*command, "--data-dir", str(folder / "data"), "--json", *options],
        cwd=root,
        capture_output=True,
        text=True,
    )


def test_without_support_files_a_flag_is_needed_and_named(tmp_path: Path) -> None:
    (plan,) = CASES[_CASE].members
    short = replace(plan, exptime=30.0, flashes=(Flash(1.0, 13.0),))
    simulated(replace(CASES[_CASE], members=(short,)), tmp_path)
    for path in (tmp_path / "raw").glob("*_spt.fits*"):
        path.unlink()
    done = _run(tmp_path)
    assert done.returncode == 1
    assert "--force processes incomplete ones too" in done.stderr
    (row,) = json.loads(done.stdout)["datasets"]
    assert row["missing"] == [f"{row['rootname']}_spt"]
    done = _run(tmp_path, "--force")
    assert (done.returncode, done.stdout != "") == (0, True), done.stderr
    (row,) = json.loads(done.stdout)["datasets"]
    assert (row["state"], row["missing"]) == ("ingested", [f"{plan.rootname}_spt"])
