"""What runs in the child process: CalCOS, once, in its own session, with its own limits.

The warm template imports this module before it forks; only here is CalCOS imported.
"""

import ctypes
import fcntl
import json
import multiprocessing
import os
import resource
import select
import signal
import time
import traceback
from multiprocessing.connection import Connection

import calcos
import scipy.signal
import scipy.stats  # noqa: F401 - warm: CalCOS imports them late

__all__ = ["run_calcos"]

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


def run_calcos(target: str, outdir: str, lref: str, memory_limit_mb: int, log: str, report: Connection) -> None:
    """Run CalCOS and send a report, a JSON object, on how it ended.

    Parameters
    ----------
    target
        Association table or raw file.
    outdir
        Empty folder for the products.
    lref
        Folder of the reference files.
    memory_limit_mb
        Address space of the process, MB.
    log
        File that everything CalCOS prints goes to.
    report
        Where the report goes; not a file, because the disk may be what CalCOS failed at.
    """
    template = os.getppid()
    os.setsid()
    _die_with_template(template)
    _die_with_worker()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit_mb << 20, memory_limit_mb << 20))
    os.environ["lref"] = f"{lref.rstrip('/')}/"  # noqa: SIM112 - CalCOS reads it in lower case
    os.chdir(outdir)
    started = time.monotonic()
    status, error_type, message = 0, "", ""
    try:
        status = int(calcos.calcos(target, outdir=outdir, verbosity=1) or 0)
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException as reason:  # noqa: BLE001 - whatever it is, the parent must be told
        error_type, message = type(reason).__name__, str(reason)
        traceback.print_exc()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    content = {
        "status": None if error_type else status,
        "error_type": error_type,
        "error": message[:_LONGEST_MESSAGE],
        "wall_seconds": time.monotonic() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": usage.ru_maxrss / 1024,
    }
    report.send_bytes(json.dumps(content).encode())
    report.close()
