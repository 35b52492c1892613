"""Commands about recalibrations, against the application as it is served."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cosmo.cli.app import app as commands
from tests.services.monitor.conftest import TOKEN

pytestmark = pytest.mark.integration


async def cosmo(address: str, *arguments: str | int | Path) -> str:
    """Run a command; returns what it says."""
    words = [*map(str, arguments), "--url", address]
    result = await asyncio.to_thread(CliRunner().invoke, commands, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_compare(address: str, runs: list[int], tmp_path: Path) -> None:
    first, second, bare, _ = runs
    picture = tmp_path / "boxes.png"
    said = await cosmo(
        address, "compare", "ldfd01010", second, "--first", first, "--image", picture
    )
    assert (
        said.splitlines()[0]
        == f"ldfd01vnq_x1d.fits of run {first} and ldfd01vnq_x1d.fits of run {second}"
    )
    assert "FUVA: flux ratio 1.0000 +- " in said
    assert (
        "  good_points: 50 and 50\n  points with DQ 4: 5 and 5\n  points with DQ 1024: 5 and "
        "5\nFUVB" in said
    )
    assert "[1] SP_LOC_B: 550.0 and 555.0" in said
    assert picture.read_bytes().startswith(b"\x89PNG")
    chosen = ("--first", first, "--exposure", "ldfd01vnq", "--product", "corrtag_b")
    said = await cosmo(address, "compare", "ldfd01010", bare, *chosen)
    assert said.splitlines() == [
        f"ldfd01vnq_corrtag_b.fits of run {first} and ldfd01vnq_corrtag_b.fits of run {bare}",
        f"run {first}: it has 3 products",
        f"run {bare}: it has 1 products",
    ]


async def test_compare_names_what_one_run_lacks(address: str, runs: list[int]) -> None:
    said = await cosmo(address, "compare", "ldfd01010", runs[3], "--first", runs[0])
    assert "only in one of the runs: FUVB" in said


async def test_audit(address: str, web: httpx.AsyncClient) -> None:
    await web.post("/api/v1/datasets/ldfd02010/force", headers={"Authorization": f"Bearer {TOKEN}"})
    said = json.loads(await cosmo(address, "audit", "--by", "operator", "--token", TOKEN, "--json"))
    assert [(entry["token"], entry["path"], entry["status"]) for entry in said] == [
        ("operator", "/api/v1/datasets/ldfd02010/force", 200)
    ]
