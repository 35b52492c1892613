"""Child process: CalCOS, once, in its own session, with its own limits.

The warm template imports this module before it forks; only here is CalCOS imported.
"""

import gc
import json
import multiprocessing
import os
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import astropy.table  # noqa: F401 - warm: CalCOS and scipy import these late
import calcos
import scipy.signal
import scipy.stats  # noqa: F401

from services.calibrator.acceleration import unkept_images
from services.calibrator.acceleration.parallel import use_processes
from services.calibrator.acceleration.registry import prepare
from services.calibrator.acceleration.replacements import ALL
from services.calibrator.calcos.contract import ChildRun
from shared.logs import print_plainly
from shared.operating_system import end_on_hangup, end_with_parent, limit_memory, own_usage

__all__ = ["run_calcos"]

_ACCELERATION = prepare(ALL)
"""Checked and made in the template; a run puts in place what it asks for."""

# What was imported stays: no run's garbage collector looks for cycles in it, and so copies the
# memory it lies in.
gc.collect()
gc.freeze()

_EXPANDED = frozenset("*?[$")
"""Characters that CalCOS takes for wildcards and variables (`glob` and `os.path.expandvars`)."""

_LONGEST_MESSAGE = 5_000
"""Characters of an error.

A report fits into the pipe, so that sending it cannot wait for the worker.
"""


def _end_with_worker() -> None:
    """End with the worker that asked for the run, too.

    The template outlives a killed worker, because each of its children holds its "alive" pipe open;
    so the signal of the template's end does not come. The worker's own pipe hangs up.
    """
    worker = multiprocessing.parent_process()
    if worker is not None:
        end_on_hangup(worker.sentinel)


def run_calcos(run: ChildRun, report: Connection) -> None:
    """Run CalCOS.

    Send JSON objects that say at the start how it is accelerated, and at the end how it ended.

    Parameters
    ----------
    run
        What to run, and its limits.
    report
        Where the report goes; not a file, because the disk may be what CalCOS failed at.
    """
    template = os.getppid()
    os.setsid()
    end_with_parent(template)
    _end_with_worker()
    output = os.open(run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    print_plainly()
    limit_memory(run.memory_limit_mb)
    use_processes(run.processes)
    state = _ACCELERATION.install(run.without)
    unkept_images.keep_images(run.images or state[unkept_images.REPLACEMENT.name] != "PERFORM")
    _send(report, acceleration=state)
    target, outdir, lref = (_name(path, run.outdir) for path in (run.target, run.outdir, run.lref))
    os.environ["lref"] = f"{lref}/"  # noqa: SIM112 - CalCOS reads it in lower case
    os.chdir(run.outdir)
    started = time.monotonic()
    status, error_type, message = 0, "", ""
    try:
        status = int(calcos.calcos(target, outdir=outdir, **{"verbosity": 1, **run.arguments}) or 0)
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException as reason:  # noqa: BLE001 - whatever it is, the parent must know
        error_type, message = type(reason).__name__, str(reason)
        traceback.print_exc()
    usage = own_usage()
    _send(
        report,
        status=None if error_type else status,
        error_type=error_type,
        error=message[:_LONGEST_MESSAGE],
        wall_seconds=time.monotonic() - started,
        cpu_seconds=usage.cpu_seconds,
        peak_rss_mb=usage.peak_mb,
    )
    report.close()


def _name(path: Path, start: Path) -> str:
    """Name a path to CalCOS, which expands wildcards and variables in it: from the folder `start`
    where it has any.
    """
    return os.path.relpath(path, start) if set(str(start)) & _EXPANDED else str(path)


def _send(report: Connection, **content: Any) -> None:
    report.send_bytes(json.dumps(content).encode())
