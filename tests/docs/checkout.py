"""Copy of the checkout, for what is written into one and run there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "copy_checkout", "run_python"]

ROOT = Path(__file__).parents[2]
_PARTS = ("cosmo", "services", "shared", "simulator", "tests", "pyproject.toml")


def copy_checkout(target: Path) -> Path:
    """Copy code and tests to a folder, with what is compiled of them."""
    target.mkdir()
    for part in _PARTS:
        if (ROOT / part).is_dir():
            ignored = shutil.ignore_patterns("*.pyc.*")  # about to be written
            shutil.copytree(ROOT / part, target / part, ignore=ignored)
        else:
            shutil.copy2(ROOT / part, target / part)
    return target


def run_python(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python on the code of a copy."""
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )
