"""Real CalCOS runs that do not come out, and what is left of them."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.calibrator.acceleration import left_out
from services.calibrator.run.calibrate import CalibrationRequest, CalibrationResult, calibrate
from services.calibrator.run.references import ReferenceFolder
from shared.errors import OutageError, PermanentError, TransientError

RAW = "ldfd01vnq_rawtag_a.fits.gz"

MakeRequest = Callable[..., CalibrationRequest]


@pytest.fixture(params=[True, False], ids=["accelerated", "plain"])
def make_request(
    request: pytest.FixtureRequest,
    small_files: dict[str, Path],
    references: ReferenceFolder,
    tmp_path: Path,
) -> MakeRequest:
    """Maker of a request for the first exposure of the real association, with CalCOS accelerated
    and plain.
    """
    options: dict[str, Any] = {
        "label": "ldfd01010",
        "raw": small_files,
        "products": tmp_path / "products",
        "references": references,
        "scratch": tmp_path / "scratch",
        "accepted_missing": frozenset(),
        "randseed": 1,
        "memory_limit_mb": 8192,
        "wall_limit_seconds": 600.0,
        "keep": "*",
        "without": left_out(request.param, ""),
        "processes": 2,
    }
    return lambda **changes: CalibrationRequest(**(options | changes))


async def test_damaged_raw_file_is_refused_before_the_run(
    make_request: MakeRequest, tmp_path: Path
) -> None:
    whole = make_request()
    broken = tmp_path / RAW
    broken.write_bytes(whole.raw[RAW].read_bytes()[:100_000])
    records: list[CalibrationResult] = []
    with pytest.raises(PermanentError, match=RAW):
        await calibrate(make_request(raw={**whole.raw, RAW: broken}), records.append)
    assert records == []
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.e2e
@pytest.mark.parametrize("make_request", [True], indirect=True, ids=["accelerated"])
async def test_folders_with_what_a_shell_expands(make_request: MakeRequest, tmp_path: Path) -> None:
    """CalCOS expands wildcards and variables in the paths that it is given."""
    products = []
    for name in ("plain", "[a] ?* $HOME # 100% ä"):
        folder = tmp_path / name
        result = await calibrate(
            make_request(scratch=folder / "scratch", products=folder / "products")
        )
        products.append({product.name: product.sha256 for product in result.products})
    assert len(products[0]) > 3
    assert products[0] == products[1]


async def test_too_little_memory_is_transient_and_recorded(
    make_request: MakeRequest, tmp_path: Path
) -> None:
    records: list[CalibrationResult] = []
    with pytest.raises(TransientError, match="MEMORY_LIMIT"):
        await calibrate(make_request(memory_limit_mb=400), records.append)
    (record,) = records
    assert record.run.status is None
    assert record.randseeds == {"ldfd01vnq_rawtag_a.fits": 1}
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_full_scratch_is_transient(
    make_request: MakeRequest, small_disk: Callable[[str], Path], reference_cache: Path
) -> None:
    with pytest.raises(OutageError, match="free space"):
        await calibrate(make_request(scratch=small_disk("1m")))
    disk = small_disk("40m")  # holds the raw file and its events, not the images
    records: list[CalibrationResult] = []
    with pytest.raises(OutageError, match="free space"):
        await calibrate(make_request(scratch=disk), records.append)
    (record,) = records
    assert record.run.error_type == "OSError"
    assert list(disk.iterdir()) == []


WORKER = """
import asyncio, sys
from pathlib import Path
from services.calibrator.run.calibrate import CalibrationRequest, calibrate
from services.calibrator.run.references import ReferenceFolder

base, data, cache, *paths = map(Path, sys.argv[1:])
references = ReferenceFolder(data / "references", cache, "3.6.2")
raw = {path.name: path for path in paths}
request = CalibrationRequest(
    "ldfd01010", raw, base / "products", references, base / "scratch", frozenset(), 1,
    8192, 600.0, "*"
)
if __name__ == "__main__":
    asyncio.run(calibrate(request))
"""


@pytest.mark.e2e
def test_template_and_run_die_with_their_worker(
    data_dir: Path, small_files: dict[str, Path], reference_cache: Path, tmp_path: Path
) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    worker = psutil.Popen(
        [sys.executable, script, tmp_path, data_dir, reference_cache, *small_files.values()],
        env={"PYTHONPATH": str(Path(__file__).parents[4])},
        stdin=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    runs: list[psutil.Process] = []
    while time.monotonic() < deadline and not (runs and runs[0].cpu_times().user > 1):
        time.sleep(0.1)
        runs = [run for template in worker.children() for run in template.children()]
    family = worker.children(recursive=True)
    assert runs
    assert set(runs) < set(family)
    worker.kill()
    worker.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
