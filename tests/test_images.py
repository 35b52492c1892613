"""A container image holds ``shared``, one service and the packages of its lock file.

They must be enough.
"""

import ast
import os
import re
import shutil
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

USE_PRUNED = """
import io
from importlib import resources
from pathlib import Path
import botocore.session, plotly, pyarrow
from pyarrow import compute, csv, parquet
table = pyarrow.table({"a": [1, 2, 3]})
assert compute.sum(table["a"]).as_py() == 6
csv.write_csv(table, io.BytesIO())
parquet.write_table(table, kept := io.BytesIO())
assert parquet.read_table(io.BytesIO(kept.getvalue())) == table
assert (resources.files("plotly") / "package_data" / "plotly.min.js").stat().st_size > 1_000_000
session = botocore.session.get_session()
for service in ("s3", "sts"):
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    session.create_client(service, region_name="us-east-1", **keys)
for package in (botocore, plotly, pyarrow):
    print(Path(package.__file__).parents[1])
"""


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


def _pins(name: str) -> set[str]:
    """Return the packages of a lock file with their versions."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return {line.split()[0] for line in lines if "==" in line and line[0].isalnum()}


@pytest.mark.parametrize("service", SERVICES)
def test_no_package_is_installed_twice(service: str) -> None:
    """What all images share comes first, and stays as it is."""
    of_the_container = {pin for pin in _pins("common") if pin.startswith("dumb-init==")}
    assert len(of_the_container) == 1
    assert _pins("common") - of_the_container <= _pins(service)


def test_what_is_pruned_is_not_missed(tmp_path: Path) -> None:
    site = tmp_path / "venv" / "lib" / "python3" / "site-packages"
    site.mkdir(parents=True)
    for name in ("botocore", "plotly", "pyarrow"):
        installed = Distribution.from_name(name).locate_file(name)
        shutil.copytree(str(installed), site / name, copy_function=_link)
    before = sum(1 for _ in site.rglob("*"))
    subprocess.run(["sh", ROOT / "deploy" / "prune", tmp_path / "venv"], check=True)
    assert sum(1 for _ in site.rglob("*")) < before / 2
    for left in ("pyarrow/libarrow_flight*", "plotly/graph_objs", "botocore/data/ec2"):
        assert not list(site.glob(left))
    used = subprocess.run(
        [sys.executable, "-c", USE_PRUNED],
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert used.returncode == 0, used.stderr
    assert used.stdout.splitlines() == [str(site)] * 3


def _link(source: str, target: str) -> None:
    """Link a file, or copy it to another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


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
