"""What runs in the child process: CalCOS, once, in its own session, with its own limits.

The warm template imports this module before it forks; only here is CalCOS imported.
"""

import ctypes
import fcntl
import gc
import json
import multiprocessing
import os
import resource
import select
import signal
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

import astropy.table  # noqa: F401 - warm: CalCOS and scipy import these late
import calcos
import scipy.signal
import scipy.stats  # noqa: F401

from services.calibrator.acceleration import unkept_images
from services.calibrator.acceleration.parallel import use_processes
from services.calibrator.acceleration.registry import prepare
from services.calibrator.acceleration.replacements import ALL
from services.calibrator.template import ChildRun

__all__ = ["run_calcos"]

_ACCELERATION = prepare(ALL)
"""Checked and made in the template; a run puts in place what it asks for."""

# What was imported stays: no run's garbage collector looks for cycles in it, and so copies the memory it lies in.
gc.collect()
gc.freeze()

_PR_SET_PDEATHSIG = 1
_LONGEST_MESSAGE = 5_000
"""Characters of an error; a report fits into the pipe, so that sending it cannot wait for the worker."""


def _die_with_template(template: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != template:  # it died before the signal was asked for
        os._exit(1)


def _die_with_worker() -> None:
    """Have the kernel end this process when the worker that asked for it is gone.

    The template outlives a killed worker, because each of its children holds its "alive" pipe open; so the signal of
    the template's death does not come. The worker's own pipe hangs up, and SIGIO ends a process by default.
    """
    worker = multiprocessing.parent_process()
    if worker is None:
        return
    pipe = worker.sentinel
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    hangup = select.poll()
    hangup.register(pipe, 0)  # POLLHUP is always told
    if hangup.poll(0):  # it died before the signal was asked for
        os._exit(1)


def run_calcos(run: ChildRun, report: Connection) -> None:
    """Run CalCOS; send JSON objects that say at the start how it is accelerated, and at the end how it ended.

    Parameters
    ----------
    run
        What to run, and its limits.
    report
        Where the report goes; not a file, because the disk may be what CalCOS failed at.
    """
    template = os.getppid()
    os.setsid()
    _die_with_template(template)
    _die_with_worker()
    output = os.open(run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    resource.setrlimit(resource.RLIMIT_AS, (run.memory_limit_mb << 20, run.memory_limit_mb << 20))
    use_processes(run.processes)
    state = _ACCELERATION.install(run.without)
    unkept_images.keep_images(run.images or state[unkept_images.REPLACEMENT.name] != "PERFORM")
    _send(report, acceleration=state)
    os.environ["lref"] = f"{run.lref}/"  # noqa: SIM112 - CalCOS reads it in lower case
    os.chdir(run.outdir)
    started = time.monotonic()
    status, error_type, message = 0, "", ""
    try:
        status = int(calcos.calcos(str(run.target), outdir=str(run.outdir), **{"verbosity": 1, **run.arguments}) or 0)
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException as reason:  # noqa: BLE001 - whatever it is, the parent must be told
        error_type, message = type(reason).__name__, str(reason)
        traceback.print_exc()
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    _send(
        report,
        status=None if error_type else status,
        error_type=error_type,
        error=message[:_LONGEST_MESSAGE],
        wall_seconds=time.monotonic() - started,
        cpu_seconds=sum(usage.ru_utime + usage.ru_stime for usage in usages),
        peak_rss_mb=max(usage.ru_maxrss for usage in usages) / 1024,
    )
    report.close()


def _send(report: Connection, **content: Any) -> None:
    report.send_bytes(json.dumps(content).encode())
