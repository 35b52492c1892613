"""Runs in child processes: how they end, and that none is left behind."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from services.calibrator.acceleration import NAMES
from services.calibrator.calcos import process
from services.calibrator.calcos.contract import ChildRun, RunResult
from services.calibrator.calcos.process import Child, exit_status
from shared.errors import MemoryShortError, PermanentError, TransientError

OK = {
    "status": 0,
    "signal": None,
    "timed_out": False,
    "wall_seconds": 1.0,
    "cpu_seconds": 1.0,
    "peak_rss_mb": 1.0,
    "error_type": "",
    "error": "",
    "log": "line\n",
}


def child(tmp_path: Path, wall_limit: float = 60.0) -> Child:
    outdir = tmp_path / "out"
    outdir.mkdir()
    return Child(ChildRun(tmp_path / "ldfd01010_asn.fits", outdir, tmp_path, 8192, wall_limit))


def strays() -> list[psutil.Process]:
    """Find runs below the template, which is a child of this process."""
    return [
        run
        for template in psutil.Process().children()
        if "forkserver" in " ".join(template.cmdline())
        for run in template.children()
    ]


async def test_exception_in_calcos_is_told(tmp_path: Path) -> None:
    started = child(tmp_path)
    await started.wait()
    result = started.end()
    assert (result.status, result.error_type) == (None, "FileNotFoundError")
    assert result.acceleration == dict.fromkeys(NAMES, "PERFORM")
    assert "Traceback" in result.log
    assert result.cpu_seconds >= 0
    assert result.peak_rss_mb > 0
    with pytest.raises(PermanentError, match="FileNotFoundError"):
        exit_status(result)


async def test_wall_clock_limit(tmp_path: Path) -> None:
    os.mkfifo(
        tmp_path / "ldfd01010_asn.fits"
    )  # nobody writes into it, so that the run waits for ever
    started = child(tmp_path, wall_limit=0.5)
    await started.wait()
    result = started.end()
    assert result.timed_out
    assert result.peak_rss_mb > 0
    with pytest.raises(TransientError, match="longer"):
        exit_status(result)
    assert strays() == []


async def test_a_run_is_ended_before_the_memory_of_the_container_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "ldfd01010_asn.fits")
    started = child(tmp_path)
    monkeypatch.setattr(process, "memory_share", lambda: 0.96)
    await started.wait()
    with pytest.raises(MemoryShortError, match="the memory of the container was used up"):
        exit_status(started.end())
    assert strays() == []


async def test_stopped_run_tells_what_it_cost_and_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(
        tmp_path / "ldfd01010_asn.fits"
    )  # nobody writes into it, so that the run does not end by itself
    started = child(tmp_path)
    task = asyncio.create_task(started.wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    before = time.monotonic()
    result = started.end()
    assert time.monotonic() - before < 5
    assert (result.status, result.signal) == (None, "SIGKILL")
    assert result.peak_rss_mb > 0
    assert strays() == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"error_type": "_ArrayMemoryError", "status": None}, MemoryShortError),
        (
            {"error_type": "OSError", "error": "[Errno 12] Cannot allocate memory", "status": None},
            MemoryShortError,
        ),
        (
            {
                "error_type": "OSError",
                "error": "Not enough space on disk: requested 1",
                "status": None,
            },
            TransientError,
        ),
        ({"error_type": "ValueError", "error": "NaN", "status": None}, PermanentError),
        ({"signal": "SIGKILL", "status": None}, TransientError),
    ],
)
def test_judgement(change: dict[str, object], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        exit_status(RunResult(**{**OK, **change}))  # type: ignore[arg-type]


def test_what_calcos_printed_before_a_traceback_is_reported() -> None:
    said = "The following reference file is missing:\nDEADTAB=x_dead.fits\n"
    trace = "Traceback (most recent call last):\n" + "  File a\n    b\n" * 20 + "RuntimeError\n"
    change = {"status": None, "error_type": "RuntimeError", "log": said + trace}
    with pytest.raises(
        PermanentError,
        match=r"(?s)CalCOS: RuntimeError.*reference file is missing:.DEADTAB=x_dead.fits",
    ):
        exit_status(RunResult(**{**OK, **change}))  # type: ignore[arg-type]


def test_worker_stays_light() -> None:
    code = (
        "import sys, services.calibrator.__main__; print(*sorted({'calcos', 'scipy'} & "
        "set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


WITHOUT_LINUX = """
import asyncio
import os
import sys
from pathlib import Path

import psutil

from services.calibrator.calcos.contract import ChildRun
from services.calibrator.calcos.process import Child
from shared import operating_system


async def main(folder: Path) -> None:
    for limit in (60.0, 1.0):
        run = Child(ChildRun(folder / "ldfd01010_asn.fits", folder / f"out{limit:.0f}",
            folder, 8192, limit))
        await run.wait()
        result = run.end()
        print(result.error_type, result.timed_out, result.peak_rss_mb > 20, result.cpu_seconds >= 0)
        (folder / "ldfd01010_asn.fits").unlink()
        os.mkfifo(folder / "ldfd01010_asn.fits")  # without a writer, the next run waits for ever
    templates = psutil.Process().children()
    print(operating_system.LINUX, [run for template in templates for run in template.children()])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
"""


def test_runs_on_another_system(tmp_path: Path) -> None:
    """A run that fails and one that is stopped, with what Linux alone offers switched off in every
    process.
    """
    (tmp_path / "sitecustomize.py").write_text(
        "import shared.operating_system as o\no.LINUX = False\n"
    )
    (tmp_path / "script.py").write_text(WITHOUT_LINUX)
    for name in ("out60", "out1"):
        (tmp_path / name).mkdir()
    (tmp_path / "ldfd01010_asn.fits").write_text("no FITS")
    paths = [str(tmp_path), str(Path(__file__).parents[4])]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    # Without Linux's own way, memory is what ps says; minimal systems have none.
    measured = shutil.which("ps") is not None
    assert done.stdout.splitlines() == [
        "OSError False True True",
        f" True {measured} True",
        "False []",
    ], done.stderr
