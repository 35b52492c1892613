"""Scratch folders and what is staged into them."""

import asyncio
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from services.calibrator.run.workspace import (
    fix_seed,
    keep_workspace,
    open_workspace,
    stage,
    sweep_scratch,
)
from shared.errors import PermanentError

NAME = "ldfd01vnq_rawtag_a.fits.gz"


def test_scratch_is_always_removed(tmp_path: Path) -> None:
    with open_workspace(tmp_path, "x") as workspace:
        assert workspace.outdir.is_dir()
    with pytest.raises(PermanentError), open_workspace(tmp_path, "x"):
        raise PermanentError("a run that fails")
    assert list(tmp_path.iterdir()) == []


def test_sweep_takes_the_folder_of_a_dead_process_alone(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from services.calibrator.run.workspace import "
        "open_workspace\n"
        "with open_workspace(Path(sys.argv[1]), 'dead'): os._exit(9)"
    )
    root = Path(__file__).parents[4]
    assert subprocess.run([sys.executable, "-c", code, tmp_path], cwd=root).returncode == 9
    assert [path.name[:5] for path in tmp_path.iterdir()] == ["dead-"]
    with open_workspace(tmp_path, "live") as workspace:
        (removed,) = sweep_scratch(tmp_path)
        assert removed.startswith("dead-")
        assert list(tmp_path.iterdir()) == [workspace.root]


def test_seed_is_fixed_where_the_header_leaves_it_to_the_clock(
    association_files: dict[str, Path], tmp_path: Path
) -> None:
    stage({NAME: association_files[NAME]}, tmp_path)
    path = tmp_path / NAME.removesuffix(".gz")
    assert fits.getval(path, "RANDSEED") == -1
    assert fix_seed(path, 7) == 7
    assert fix_seed(path, 9) == 7


@pytest.mark.parametrize("keep", [0.5, 0.999])
def test_damaged_gzip_is_refused_by_name(
    association_files: dict[str, Path], tmp_path: Path, keep: float
) -> None:
    content = association_files[NAME].read_bytes()
    broken = tmp_path / NAME
    broken.write_bytes(content[: int(len(content) * keep)])
    (tmp_path / "raw").mkdir()
    with pytest.raises(PermanentError, match=f"{NAME}: damaged gzip file"):
        stage({NAME: broken}, tmp_path / "raw")


async def test_removing_a_large_workspace_leaves_the_event_loop_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes a second to remove it does not keep leases from being renewed."""
    remove, ticks = shutil.rmtree, []

    def slow(path: Path, **options: Any) -> None:
        time.sleep(0.5)
        remove(path, **options)

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    monkeypatch.setattr(shutil, "rmtree", slow)
    ticking = asyncio.create_task(tick())
    async with keep_workspace(tmp_path, "ldfd01010") as workspace:
        (workspace.inputs / "a").touch()
    ticking.cancel()
    assert not workspace.root.exists()
    assert max(later - one for one, later in pairwise(ticks)) < 0.4
