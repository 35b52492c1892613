"""A queue of datasets, calibrated by one worker and by several."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.calibration.cases import Dataset
from benchmarks.calibration.running import run_calibrator
from services.calibrator.calcos.process import warm_up

__all__ = ["measure_throughput"]


def measure_throughput(
    datasets: Sequence[Dataset], count: int, workers: int, folder: Path
) -> dict[str, Any]:
    """Calibrate a queue with one worker and with several.

    Each keeps to one core, as while datasets wait.

    Parameters
    ----------
    datasets
        What the queue is made of, in turn.
    count
        Its length.
    workers
        How many are compared with one.
    folder
        Scratch.
    """
    queue = list(islice(cycle(datasets), count))
    one, several = (_empty(queue, number, folder) for number in (1, workers))
    return {
        "datasets": count,
        "workers": workers,
        "one": one,
        "several": several,
        "throughput_ratio": round(one["wall"] / several["wall"], 2),
        "load": round(os.getloadavg()[0], 1),
    }


def _empty(queue: Sequence[Dataset], workers: int, folder: Path) -> dict[str, float]:
    """Return the seconds of the clock and of the processor for the whole queue.

    Tail is how long a worker had none left.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=warm_up) as pool:
        list(
            pool.map(
                _calibrate,
                queue[:workers],
                [folder / str(-1 - number) for number in range(workers)],
            )
        )  # warm
        started = time.monotonic()
        done = list(
            pool.map(_calibrate, queue, [folder / str(number) for number in range(len(queue))])
        )
    last = {worker: ended for _, worker, ended in sorted(done, key=lambda item: item[2])}
    return {
        "wall": round(max(last.values()) - started, 1),
        "cpu": round(sum(cpu for cpu, _, _ in done), 1),
        "tail": round(max(last.values()) - min(last.values()), 1),
    }


def _calibrate(dataset: Dataset, folder: Path) -> tuple[float, int, float]:
    """Calibrate; returns the seconds of the processor, which worker it was, and when it ended."""
    cpu = run_calibrator(dataset, folder, 1).cpu
    shutil.rmtree(folder)
    return cpu, os.getpid(), time.monotonic()
