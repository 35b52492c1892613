"""The wheel: what is in it, and that it works where the checkout is out of sight."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared import __version__

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("cosmo", "services", "shared", "simulator")
_PACKED = (*_PACKAGES, "benchmarks", "tests", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True)
class Installed:
    """Wheel, and an environment with it that sees the packages which it depends on."""

    wheel: Path
    environment: Path

    def run(self, program: str, *arguments: str) -> str:
        """Output of a program of the environment."""
        return _run(self.environment, self.environment / "bin" / program, *arguments)


def _run(folder: Path, *command: str | Path) -> str:
    """Output of a command that runs in another folder than the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in _PACKED:
        path = _ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=unwanted)
        else:
            shutil.copyfile(path, source / name)
    environment = folder / "environment"
    _run(folder, sys.executable, "-m", "venv", "--without-pip", environment)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    build = "import setuptools.build_meta as backend; backend.build_wheel('..')"
    _run(source, sys.executable, "-c", build)
    wheel = folder / f"cosmo-{__version__}-py3-none-any.whl"
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python")
    _run(folder, *pip, "install", "--quiet", "--no-index", "--no-deps", "--no-compile", wheel)
    return Installed(wheel, environment)


def test_the_wheel_has_every_file_of_the_packages_and_no_other(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        str(path.relative_to(_ROOT))
        for package in _PACKAGES
        for path in (_ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == expected
    assert {f"{package}/py.typed" for package in _PACKAGES} <= names


def test_the_wheel_works_without_the_checkout(installed: Installed) -> None:
    home = installed.run("python", "-c", "import cosmo; print(cosmo.__file__)")
    assert home.startswith(str(installed.environment))
    assert installed.run("cosmo", "--version") == f"cosmo {__version__}\n"
    assert "--size" in installed.run("cosmo", "demo", "--help")
