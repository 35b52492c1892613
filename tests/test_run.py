"""``./run`` takes a Python that fits, or has uv find one, and says in a line what it lacks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("sh", "cat", "cksum", "dirname", "mkdir")

PYTHON = "#!/bin/sh\ncase $2 in *3,*) exit {fits} ;; *ensurepip*) exit {venv} ;; esac\n"
"""An interpreter that is asked whether its version fits, and whether it can make an environment."""

UV = f"""#!/bin/sh
echo "uv $@" >&2
if [ "$1" = venv ]; then "{sys.executable}" -m venv --without-pip "$COSMO_VENV"; fi
"""
"""uv, as far as ``run`` uses it: it makes the environment, and installs nothing."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Folder of the few programs that ``run`` finds."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        found = next(
            Path(parent, name) for parent in ("/usr/bin", "/bin") if Path(parent, name).exists()
        )
        (folder / name).symlink_to(found)
    return folder


def _program(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o755)


def _run(
    path: Path, venv: Path, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", str(ROOT / "run"), *arguments],
        env={"PATH": str(path), "COSMO_VENV": str(venv), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(("fits", "venv"), [(1, 0), (0, 1)])
def test_no_python_fits(fits: int, venv: int, path: Path, tmp_path: Path) -> None:
    _program(path / "python3", PYTHON.format(fits=fits, venv=venv))
    done = _run(path, tmp_path / "venv", "config")
    assert done.returncode == 1
    assert "Python 3.11, 3.12, 3.13 or 3.14 with its venv module" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("fits", "venv"), [(1, 0), (0, 1)])
def test_uv_finds_one_where_none_fits(fits: int, venv: int, path: Path, tmp_path: Path) -> None:
    _program(path / "python3", PYTHON.format(fits=fits, venv=venv))
    _program(path / "uv", UV)
    place = tmp_path / "an environment"
    done = _run(path, place, "tool", str(place / "bin" / "python"), "-c", "print('fine')")
    assert done.stdout == "fine\n", done.stderr
    uv = [line for line in done.stderr.splitlines() if line.startswith("uv ")]
    assert uv[0].startswith("uv venv --quiet --clear --python >=3.11,<3.15 ")
    assert uv[1].startswith("uv pip install --quiet --python ")
    assert f"--require-hashes -r {ROOT}/requirements/all.txt" in uv[1]
    again = _run(
        path,
        place,
        "tool",
        str(place / "bin" / "python"),
        "-c",
        "print(__import__('pathlib').Path.home())",
    )
    assert (again.stdout, again.stderr) == (
        f"{place}\n",
        "",
    )  # it is there, and a home where there was none


def test_a_folder_that_cannot_be_written(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = _run(path, tmp_path / "file" / "venv", "config", COSMO_PYTHON=sys.executable)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"The environment cannot be made in {tmp_path}/file/venv: let COSMO_VENV name a folder "
        "that you can write."
    ]


def test_every_supported_python_is_taken(path: Path) -> None:
    """The package, ``run`` and the continuous integration name the same versions."""
    metadata = (ROOT / "pyproject.toml").read_text()
    versions = [f"3.{minor}" for minor in range(11, 15)]
    assert 'requires-python = ">=3.11,<3.15"' in metadata
    assert all(f"Python :: {version}" in metadata for version in versions)
    assert all(f"python{version} " in (ROOT / "run").read_text() for version in versions)
    assert (
        str(versions).replace("'", '"') in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    )
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in versions
    assert os.access(ROOT / "run", os.X_OK)
