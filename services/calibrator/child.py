"""What runs in the child process: CalCOS, once, in its own session, with its own limits.

The warm template imports this module before it forks; only here is CalCOS imported.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

import calcos
import scipy.signal
import scipy.stats  # noqa: F401 - warm: CalCOS imports them late

__all__ = ["run_calcos"]

_PR_SET_PDEATHSIG = 1


def _die_with_template() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def run_calcos(target: str, outdir: str, lref: str, memory_limit_mb: int, log: str, report: str) -> None:
    """Run CalCOS and leave a report, a JSON file, on how it ended.

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
        File for the report.
    """
    os.setsid()
    _die_with_template()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit_mb << 20, memory_limit_mb << 20))
    os.environ["lref"] = f"{lref.rstrip('/')}/"  # noqa: SIM112 - CalCOS reads it in lower case
    os.chdir(outdir)
    started = time.monotonic()
    status, error = 1, None
    try:
        status = int(calcos.calcos(target, outdir=outdir, verbosity=1) or 0)
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException as reason:  # noqa: BLE001 - whatever it is, the parent must be told
        error = {"type": type(reason).__name__, "message": str(reason), "traceback": traceback.format_exc()}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    content = {
        "status": status,
        "error": error,
        "wall_seconds": time.monotonic() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": usage.ru_maxrss / 1024,
        "calcos_version": calcos.__version__,
    }
    sys.stdout.flush()
    staged = Path(f"{report}.part")
    staged.write_text(json.dumps(content))
    staged.replace(report)
