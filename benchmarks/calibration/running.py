"""Runs of one dataset by both ways, measured and compared."""

import asyncio
import filecmp
import gzip
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calibration.cases import Dataset
from services.calibrator.run.calibrate import CalibrationRequest, calibrate
from services.calibrator.run.headers import read_exposures
from services.calibrator.run.products import kept_products
from services.calibrator.run.references import ReferenceFolder

__all__ = ["Cost", "compare", "run_calibrator", "run_plain"]

_CALCOS = "import sys; from calcos.calcos import main; sys.exit(main())"
_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Cost:
    """What one calibration took.

    Attributes
    ----------
    cpu, wall
        Seconds of the processor and of the clock.
    memory, scratch, disk
        Largest memory of a process, most that lay in its scratch folder at once (blocks of the file
        system), and what is kept; MB.
    """

    cpu: float
    wall: float
    memory: float
    scratch: float
    disk: float


class _Seen:
    """Largest volume of a folder, and largest memory of the process `pid`, MB."""

    scratch = 0.0
    memory = 0.0
    pid: int | None = None


@contextmanager
def _watched(folder: Path) -> Iterator[_Seen]:
    """Watch a folder and a process until the block ends."""
    seen, ended = _Seen(), threading.Event()

    def poll() -> None:
        while not ended.wait(_POLL_SECONDS):
            seen.scratch = max(seen.scratch, _blocks(folder))
            # Not from its resource usage, which begins with that of the process that started it.
            if seen.pid is not None and "VmHWM:" in (
                status := Path(f"/proc/{seen.pid}/status").read_text()
            ):
                seen.memory = int(status.split("VmHWM:", 1)[1].split(maxsplit=1)[0]) / 1024

    watcher = threading.Thread(target=poll)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def _blocks(folder: Path) -> float:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = (Path(parent) / name).lstat()
            except FileNotFoundError:
                continue
            if (
                status.st_nlink == 1
            ):  # references are linked into the scratch folder, and take nothing there
                total += status.st_blocks * 512
    return total / 1e6


def run_plain(dataset: Dataset, folder: Path) -> Cost:
    """Run the command ``calcos``; its products stay in ``folder/out``."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(dataset.raw, folder / "raw")
    with (folder / "log").open("wb") as log, _watched(folder) as seen:
        started = time.monotonic()
        command = [
            sys.executable,
            "-c",
            _CALCOS,
            "-o",
            str(folder / "out"),
            str(folder / "raw" / dataset.target.name),
        ]
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"lref": f"{dataset.references}/"},
        )
        seen.pid = process.pid
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        seen.pid = None
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
    if status:
        raise RuntimeError(
            f"calcos ended with {os.waitstatus_to_exitcode(status)}; see {folder / 'log'}"
        )
    left = sum(path.stat().st_size for path in (folder / "out").iterdir()) / 1e6
    return Cost(usage.ru_utime + usage.ru_stime, wall, seen.memory, seen.scratch, left)


def run_calibrator(
    dataset: Dataset,
    folder: Path,
    processes: int,
    without: frozenset[str] = frozenset(),
    keep: str = "*",
) -> Cost:
    """Calibrate as the service does, from staging to packing.

    Packed products stay in ``folder/packed``.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "scratch").mkdir(parents=True)
    request = CalibrationRequest(
        label=dataset.name.split()[0],
        raw={path.name: path for path in dataset.raw.glob("*.fits")},
        products=folder / "packed",
        references=_references(dataset.references, dataset.raw),
        scratch=folder / "scratch",
        accepted_missing=frozenset(),
        randseed=1,
        memory_limit_mb=8192,
        wall_limit_seconds=3600.0,
        keep=keep,
        without=without,
        processes=processes,
    )
    with _watched(folder / "scratch") as seen:
        started, before = time.monotonic(), _own_seconds()
        result = asyncio.run(calibrate(request))
        wall, own = time.monotonic() - started, _own_seconds() - before
    kept = sum(product.size for product in result.products) / 1e6
    return Cost(result.run.cpu_seconds + own, wall, result.run.peak_rss_mb, seen.scratch, kept)


_FOLDERS: dict[Path, ReferenceFolder] = {}


def _references(folder: Path, raw: Path) -> ReferenceFolder:
    """Keep the reference folder of a dataset, as a service does."""
    if folder not in _FOLDERS:
        _FOLDERS[folder] = ReferenceFolder(
            folder, folder.with_name(f"{folder.name}-cache"), "3.6.2"
        )
    _FOLDERS[folder].resolve(read_exposures(raw))  # a service has seen its references before
    return _FOLDERS[folder]


def _own_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def compare(plain: Path, packed: Path, keep: str = "*") -> list[str]:
    """Return the names of the FITS files that differ or that one side lacks.

    Parameters
    ----------
    plain
        Folder that plain CalCOS wrote to.
    packed
        Folder of the calibrator's packed products.
    keep
        Suffixes of the products that were kept.
    """
    written = {path.name for path in kept_products(plain, keep)[0]}
    kept = {path.name.removesuffix(".gz") for path in packed.iterdir()}
    different = sorted(written ^ kept)
    for name in sorted(written & kept):
        unpacked = packed / name
        with gzip.open(packed / f"{name}.gz") as stream, unpacked.open("wb") as out:
            shutil.copyfileobj(stream, out, 1 << 20)
        if not filecmp.cmp(plain / name, unpacked, shallow=False):
            different.append(name)
        unpacked.unlink()
    return different
