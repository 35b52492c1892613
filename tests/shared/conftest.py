"""Fixtures of connections."""

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with certificates and keys: ``server`` of 127.0.0.1, ``elsewhere``, ``stranger``.

    They name addresses, since minimal systems know no localhost.
    """
    folder = tmp_path_factory.mktemp("certificates")
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    for name, address in (
        ("server", "127.0.0.1"),
        ("elsewhere", "127.0.0.2"),
        ("stranger", "127.0.0.1"),
    ):
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
            f"-subj /CN={name} -addext subjectAltName=IP:{address} "
            f"-keyout {name}.key -out {name}.pem"
        )
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder
