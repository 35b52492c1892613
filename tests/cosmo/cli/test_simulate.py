"""``cosmo simulate`` as it is typed."""

import json
from pathlib import Path

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
