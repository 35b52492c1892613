"""Rates of the ingest: ``python -m benchmarks.ingest --data FOLDER [--datasets N]``."""

import argparse
import asyncio
import json
import platform
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.ingest.archive import SAMPLES, Archive
from benchmarks.ingest.events import event_rate, write_dark
from benchmarks.ingest.original import ingest_as_original
from cosmo.launcher.embedded import EmbeddedPostgres
from services.ingestor.repopulation import Progress, repopulate
from shared.database.engine import Database
from shared.database.schema import migrate

_WORKERS = 2
_EVENTS = 10_000_000
_MISSIONS = (341_000, 2_000_000)
"""Datasets of the original's claim, and twice what COS will have made of files in 20 years."""


@dataclass
class Run:
    """One re-population.

    Attributes
    ----------
    rate, working_rate
        Datasets per second of wall time: in all, and until the swap.
    processor_rate
        Datasets per second that two cores could do which nobody else uses: by the processor time of
        all processes, those of Postgres too.
    memory_mb, early_memory_mb
        Largest resident memory of a Python process: in all, and while the first half of the
        datasets was done.
    """

    name: str
    datasets: int
    rate: float
    working_rate: float
    processor_rate: float
    memory_mb: float
    early_memory_mb: float

    def line(self) -> str:
        """Return the row of the table that is printed."""
        hours = ", ".join(
            f"{count:,} in {count / self.processor_rate / 3600:.2f} h" for count in _MISSIONS
        )
        return (
            f"{self.name:42s} {self.rate:8.0f} datasets/s ({self.working_rate:.0f} without the "
            "swap, "
            f"{self.processor_rate:.0f} by processor time), {self.memory_mb:4.0f} MB "
            f"({self.early_memory_mb:.0f} in the first half); {hours}"
        )


class _Memory:
    """Largest resident memory of this process or a child of it, in MB; Postgres aside."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.2):
            for process in (me, *me.children()):
                try:
                    if "python" in process.name():
                        self.peak = max(self.peak, process.memory_info().rss / 2**20)
                except psutil.NoSuchProcess:
                    continue


def _processor_seconds() -> float:
    """Return the processor time of this process and all below it, ended ones too."""
    me = psutil.Process()
    times = []
    for process in (me, *me.children(recursive=True)):
        try:
            times.append(process.cpu_times())
        except psutil.NoSuchProcess:
            continue
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


async def _run(
    name: str, url: str, archive: Archive, tables: list[str], datasets: int, *, reread: bool
) -> Run:
    finished: list[float] = []
    early: list[float] = []
    began, used = time.perf_counter(), _processor_seconds()
    with _Memory() as memory:

        def follow(progress: Progress) -> None:
            if 2 * progress.done <= progress.datasets:
                early.append(memory.peak)
            if progress.done == progress.datasets:
                finished.append(time.perf_counter())

        done = await repopulate(
            url,
            archive.url,
            None,
            tables=tables,
            workers=_WORKERS,
            reread=reread,
            report=follow,
        )
    seconds = time.perf_counter() - began
    if (done.done, done.faults) != (datasets, 0):
        raise RuntimeError(f"{name}: {done}")
    processor = _processor_seconds() - used
    run = Run(
        name,
        datasets,
        datasets / seconds,
        datasets / (finished[0] - began),
        _WORKERS * datasets / processor,
        memory.peak,
        early[-1],
    )
    print(run.line(), flush=True)
    return run


async def _measure(
    data: Path, folder: Path, url: str, datasets: int, originals: int
) -> dict[str, object]:
    database = Database(url)
    await migrate(database)
    plain, zipped = Archive(folder / "plain", zipped=False), Archive(folder / "zipped", zipped=True)
    for archive in (plain, zipped):
        archive.make(data, datasets)
    typed, whole = ["headers"], ["headers", "keywords"]

    await plain.register(database, originals)
    used = _processor_seconds()
    original = await ingest_as_original(database, plain, originals)
    original_processor = _WORKERS * originals / (_processor_seconds() - used)
    print(
        f"{'as the original, one process':42s} {original:8.1f} datasets/s "
        f"({original_processor:.1f} by processor time)",
        flush=True,
    )

    few = max(datasets // 20, 100)
    await zipped.register(database, few)
    runs = [await _run("gzipped files, headers not kept yet", url, zipped, whole, few, reread=True)]
    await plain.register(database, datasets)
    runs += [
        await _run("plain files, typed columns", url, plain, typed, datasets, reread=True),
        await _run("plain files, whole headers too", url, plain, whole, datasets, reread=True),
        await _run("kept headers, typed columns", url, plain, typed, datasets, reread=False),
        await _run("kept headers, whole headers too", url, plain, whole, datasets, reread=False),
    ]
    await database.dispose()

    dark = folder / "ld9m10ujq_corrtag_a.fits"
    write_dark(dark, data / f"{SAMPLES[-1]}.fits.gz", _EVENTS)
    events: dict[str, tuple[float, float]] = {}
    together = ("darks", "stims", "phd", "event_rates")
    for tables in (
        *((table,) for table in together),
        together,
        ("gain",),
        ("gain", "stims", "phd", "event_rates"),
    ):
        events["+".join(tables)] = event_rate(dark, _EVENTS, tables)
        processor, wall = events["+".join(tables)]
        print(
            f"{'events: ' + ', '.join(tables):42s} {processor / 1e6:8.1f} million/s "
            f"({wall / 1e6:.1f} of wall time)"
        )
    ratio = {run.name: run.processor_rate / original_processor for run in runs}
    for name, value in ratio.items():
        print(f"{name:42s} {value:8.0f} times the original, by processor time")
    return {
        "machine": platform.platform(),
        "workers": _WORKERS,
        "original_datasets_per_second": original,
        "original_by_processor_time": original_processor,
        "runs": [asdict(run) for run in runs],
        "ratio": ratio,
        "events_per_second": events,
    }


def main() -> None:
    """Measure and print; with ``--json`` leave the numbers in a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of real COS data")
    parser.add_argument("--datasets", type=int, default=20_000)
    parser.add_argument(
        "--originals", type=int, default=50, help="datasets that are ingested as the original does"
    )
    parser.add_argument("--json", type=Path, help="file for the numbers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cosmo-bench-") as name:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder / "postgres")
        postgres.start()
        try:
            found = asyncio.run(
                _measure(options.data, folder, postgres.url, options.datasets, options.originals)
            )
        finally:
            postgres.stop()
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
