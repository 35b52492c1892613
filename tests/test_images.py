"""A container image holds ``shared``, one service and the packages of its lock file.

They must be enough.
"""

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from shared.operating_system import semaphores_work

ROOT = Path(__file__).parents[1]
SERVICES = sorted(
    folder.name for folder in (ROOT / "services").iterdir() if (folder / "__main__.py").exists()
)
IMPORT_ALL = "import importlib, sys\nfor module in sys.argv[1:]: importlib.import_module(module)"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked(service: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{service}.txt").read_text().splitlines()
    return {_normal(line.partition("==")[0]) for line in lines if re.match(r"[\w.-]+==", line)}


def _install(distribution: Distribution, site: Path) -> None:
    """Link the files of an installed package from another folder."""
    for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
        if not (site / name).exists():
            (site / name).symlink_to(str(distribution.locate_file(name)))


def _image(service: str, folder: Path, without: str | None = None) -> None:
    """Lay out what deploy/Dockerfile puts into an image, leaving one package out."""
    wanted = _locked(service) - {without}
    assert "sqlalchemy" in wanted
    for part in ("app/services", "site"):
        (folder / part).mkdir(parents=True)
    for distribution in distributions():
        if _normal(distribution.metadata["Name"]) in wanted:
            _install(distribution, folder / "site")
    for part in ("shared", "services/__init__.py", f"services/{service}"):
        (folder / "app" / part).symlink_to(ROOT / part)


def _imports(path: Path) -> set[str]:
    """Return the modules that a file imports, within functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _import_all(service: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Import every module of a service and what they import, with nothing else within reach."""
    files = sorted((ROOT / "services" / service).rglob("*.py"))
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in files
    }
    modules |= {module for path in files for module in _imports(path)}
    modules.add("s3fs")  # which fsspec imports for a store in S3
    return subprocess.run(
        [sys.executable, "-S", "-c", IMPORT_ALL, *sorted(modules)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{folder}/app:{folder}/site",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(not semaphores_work(), reason="needs semaphores: /dev/shm")
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_with_what_its_image_holds(service: str, tmp_path: Path) -> None:
    _image(service, tmp_path)
    run = _import_all(service, tmp_path)
    assert run.returncode == 0, run.stderr


def test_a_package_that_the_image_lacks_is_noticed(tmp_path: Path) -> None:
    _image("archive", tmp_path, without="redis")
    run = _import_all("archive", tmp_path)
    assert "No module named 'redis'" in run.stderr
