"""The real association as an archive has it, and peers that ask the stand-in for it."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.archive.server import running_archive

Judge = Callable[..., Any]


@pytest.fixture(scope="session")
def association(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of the real association, unpacked."""
    folder = tmp_path_factory.mktemp("association")
    for packed in (data_dir / "ldfd01010" / "raw").iterdir():
        (folder / packed.name.removesuffix(".gz")).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


@pytest.fixture(scope="session")
def recorded(data_dir: Path) -> Path:
    """Return the folder of what the real archives replied."""
    return data_dir / "archive-responses"


@pytest.fixture(scope="session")
def digests(association: Path) -> dict[str, str]:
    """SHA-256 of each file of the association."""
    return {path.name: sha256(path) for path in association.iterdir()}


@pytest.fixture(scope="module")
def archive(association: Path) -> Iterator[str]:
    """Address of a stand-in that serves it without faults."""
    with running_archive(association) as url:
        yield url


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Runner of a program in a process of its own, whose client libraries are pointed at a
    stand-in as their documentation says.

    The program prints JSON; its working directory is the test's.
    """
    (tmp_path / "astropy").mkdir()

    def run(url: str, program: str, **environment: str) -> Any:
        configured = (
            f"[mast]\nserver = {url}\n[cadc]\nCADC_REGISTRY_URL = {url}/reg/resource-caps\n"
        )
        (tmp_path / "astropy" / "astroquery.cfg").write_text(configured)
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={
                **os.environ,
                "XDG_CONFIG_HOME": str(tmp_path),
                "XDG_CACHE_HOME": str(tmp_path),
                "AWS_ENDPOINT_URL_S3": url,
                "AWS_DEFAULT_REGION": "us-east-1",
                "ARCHIVE": url,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
