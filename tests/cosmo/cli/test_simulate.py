"""``cosmo simulate`` as it is typed."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cosmo.cli.app import app
from shared.errors import PermanentError

RUNNER = CliRunner()


def _mission(folder: Path, *options: str) -> None:
    RUNNER.invoke(
        app, ["simulate", "mission", "--out", str(folder), *options], catch_exceptions=False
    )


def test_mission(tmp_path: Path) -> None:
    _mission(
        tmp_path,
        "--seed",
        "7",
        "--start",
        "2018-01-01",
        "--years",
        "0.1",
        "--routine",
        "nuv-dark",
        "--fault",
        "no-events",
    )
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert (truth["mission"]["seed"], truth["mission"]["start"]) == (7, 58119.0)
    assert {visit["routine"] for visit in truth["visits"]} == {"nuv-dark"}
    assert min(found["detectors"]["NUV"]["events"] for found in truth["exposures"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "data",
        "references",
        "crds",
        "sms",
        "truth.json",
    }


def test_archive(tmp_path: Path) -> None:
    (tmp_path / "lxyz01abq_rawtag_a.fits").write_bytes(b"content")
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\npath = "/whoami"\nkind = "status"\nstatus = 503\n')
    command = [sys.executable, "-m", "cosmo", "simulate", "archive", str(tmp_path), "--port", "0"]
    with subprocess.Popen(
        [*command, "--faults", str(faults), "--rows", "5"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        (url,) = re.findall(r"http://[\d.:]+", process.stdout.readline())
        assert [httpx.get(f"{url}/whoami").status_code for _ in range(2)] == [503, 200]
        process.send_signal(signal.SIGINT)
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    assert [line.split()[:3] for line in lines] == [
        ["GET", "/whoami", "503"],
        ["GET", "/whoami", "200"],
    ]


def test_refusals_of_an_archive(tmp_path: Path) -> None:
    def serve(*options: str) -> None:
        RUNNER.invoke(app, ["simulate", "archive", *options], catch_exceptions=False)

    with pytest.raises(PermanentError, match="not a folder that can be read"):
        serve(str(tmp_path / "nothing"), "--port", "0")
    with pytest.raises(PermanentError, match=r"the fault rules .* cannot be read"):
        serve(str(tmp_path), "--faults", str(tmp_path / "nothing"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PermanentError, match=f"port {port} cannot be used: Address already"):
            serve(str(tmp_path), "--port", str(port))


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="starts after MJD"):
        _mission(tmp_path / "new", "--start", "1999-01-01")
    with pytest.raises(
        PermanentError, match="no exposure of this mission can have the fault burst"
    ):
        _mission(tmp_path / "new", "--routine", "nuv-dark", "--fault", "burst")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(PermanentError, match="not empty"):
        _mission(tmp_path / "full")
