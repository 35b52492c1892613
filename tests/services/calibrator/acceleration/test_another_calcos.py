"""A CalCOS that differs from the one that a replacement was written against runs with the original
function.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import calcos
import pytest

from services.calibrator.acceleration import NAMES
from services.calibrator.run.headers import read_exposures
from services.calibrator.run.references import ReferenceFolder
from services.calibrator.run.workspace import fix_seed, stage
from tests.services.calibrator.acceleration.conftest import run

pytestmark = pytest.mark.e2e

_ROOT = Path(__file__).parents[4]
_SCRIPT = """
import json, sys
from pathlib import Path
from tests.services.calibrator.acceleration.conftest import run
if __name__ == "__main__":
    result, _, files = run(*map(Path, sys.argv[1:]), images=False)
    print(json.dumps([result.status, result.acceleration, result.skipped, files]))
"""


def _another(folder: Path, module_name: str, function: str) -> None:
    """Copy CalCOS, with one function written otherwise."""
    shutil.copytree(Path(calcos.__file__).parent, folder / "calcos")
    module = folder / "calcos" / f"{module_name}.py"
    head, found, tail = module.read_text().partition(f"def {function}(")
    assert found
    module.write_text(head + found + tail.replace("):\n", "):  # as of another version\n", 1))


@pytest.mark.parametrize(
    ("module", "function", "name", "whole"),
    [
        pytest.param("timetag", "traceShiftDQ", "quality_flags", False, id="one that is replaced"),
        pytest.param(
            "extract",
            "doExtract",
            "unkept_images",
            True,
            id="one that reads images, which stay whole",
        ),
    ],
)
def test_another_version_runs_the_original(
    small_files: dict[str, Path],
    references: ReferenceFolder,
    tmp_path: Path,
    module: str,
    function: str,
    name: str,
    whole: bool,
) -> None:
    raw, lref = tmp_path / "raw", tmp_path / "lref"
    raw.mkdir()
    stage(small_files, raw)
    exposures = read_exposures(raw)
    references.link(references.resolve(exposures), lref)
    fix_seed(exposures[0].path, 1)
    _another(tmp_path / "site", module, function)
    (tmp_path / "script.py").write_text(_SCRIPT)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(_ROOT)]),
    }
    command = [
        sys.executable,
        *map(str, (tmp_path / "script.py", raw, lref, tmp_path / "other" / "out")),
    ]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    status, acceleration, skipped, files = json.loads(answer.stdout.splitlines()[-1])
    _, _, expected = run(raw, lref, tmp_path / "same" / "out", images=whole)
    assert status == 0
    assert set(acceleration) == set(NAMES)
    assert list(skipped) == [name]
    assert "not the version" in skipped[name]
    assert files == expected
