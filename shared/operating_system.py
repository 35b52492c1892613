"""Features of Linux, each with its weaker substitute on other POSIX systems such as macOS."""

import contextlib
import ctypes
import fcntl
import multiprocessing
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Usage",
    "assume_user",
    "child_can",
    "end_on_hangup",
    "end_with_parent",
    "enter_user_namespace",
    "forked_pools_work",
    "limit_memory",
    "locks_without_semaphores",
    "own_usage",
    "semaphores_work",
    "shared_memory_mb",
    "signal_at_parents_end",
    "tie",
    "usage_of",
]

LINUX = sys.platform == "linux"

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 28, 1 << 2
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
"""linux/prctl.h and securebits.h."""
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
"""linux/capability.h: read, write and search whatever the modes of files and folders say."""
_CLONE_NEWUSER = 0x10000000
"""linux/sched.h."""
_LOOK_SECONDS = 0.2
_libc = ctypes.CDLL(None, use_errno=True)

_TIE = """
import os, select, sys
child, number = int(sys.argv[1]), int(sys.argv[2])
while not select.select([0], [], [], 1.0)[0]:
    os.kill(child, 0)
os.kill(child, number)
"""
"""Waits for the end of file of its input, which comes when the other end's process is gone.

Ends with the child.
"""


@dataclass(frozen=True)
class Usage:
    """What a process has cost so far.

    Seconds of processor time, and the most memory that it held, MB.
    """

    cpu_seconds: float
    peak_mb: float


def _prctl(option: int, *values: int) -> None:
    filled = (*values, 0, 0, 0, 0)[:4]
    _libc.prctl(ctypes.c_int(option), *map(ctypes.c_ulong, filled))


# The end of a parent


def signal_at_parents_end(number: int) -> None:
    """Have the kernel signal this process when its parent ends, across an exec too.

    Elsewhere than on Linux `tie` does.

    Parameters
    ----------
    number
        Signal.
    """
    if LINUX:
        _prctl(_PR_SET_PDEATHSIG, number)


def tie(child: int, number: int) -> None:
    """Signal a child when this process ends, where the kernel does not (see
    `signal_at_parents_end`).

    Parameters
    ----------
    child
        Process number.
    number
        Signal.
    """
    if LINUX:
        return
    global _alive  # noqa: PLW0603 - one pipe a process; its end is this process's end
    if _alive is None:
        _alive = os.pipe()
    subprocess.Popen(
        [sys.executable, "-S", "-c", _TIE, str(child), str(int(number))],
        stdin=_alive[0],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


_alive: tuple[int, int] | None = None


def end_with_parent(parent: int) -> None:
    """End this process, a Python one, when its parent ends.

    Parameters
    ----------
    parent
        Process number that the parent had at the fork; it may be gone already.
    """
    signal_at_parents_end(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    if not LINUX:
        _end_when(lambda: os.getppid() != parent)


def end_on_hangup(pipe: int) -> None:
    """End this process, a Python one, when nobody holds the other end of a pipe any more.

    Parameters
    ----------
    pipe
        Descriptor of the end for reading.
    """
    hangup = select.poll()
    hangup.register(pipe, 0)  # POLLHUP is always reported
    if LINUX:  # SIGIO ends a process by default, whatever its threads do
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if hangup.poll(0):  # it hung up before the signal was asked for
        os._exit(1)
    if not LINUX:
        _end_when(lambda: bool(hangup.poll(0)))


def _end_when(over: Callable[[], bool]) -> None:
    def watch() -> None:
        while not over():
            time.sleep(_LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


# Cost and limits


def usage_of(process: int) -> Usage | None:
    """Return the usage of another process.

    None if it has ended. Elsewhere than on Linux the memory is that of this moment.

    Parameters
    ----------
    process
        Process number.
    """
    try:
        return _usage_by_proc(Path(f"/proc/{process}")) if LINUX else _usage_by_ps(process)
    except (OSError, IndexError, ValueError):  # it may end between the look and the reading
        return None


def _usage_by_proc(folder: Path) -> Usage:
    fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
    ticks = sum(map(int, fields[11:15]))  # utime, stime, and its children's, proc(5)
    status = (folder / "status").read_text()
    return Usage(
        ticks / os.sysconf("SC_CLK_TCK"),
        int(status.split("VmHWM:", 1)[1].split(maxsplit=1)[0]) / 1024,
    )


def _usage_by_ps(process: int) -> Usage:
    command = ["ps", "-o", "time=,rss=", "-p", str(process)]
    clock, kilobytes = subprocess.run(
        command, capture_output=True, text=True, check=False
    ).stdout.split()
    days, _, clock = clock.rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = 60 * seconds + float(part)
    return Usage(int(days or 0) * 86_400 + seconds, int(kilobytes) / 1024)


def own_usage() -> Usage:
    """Return the usage of this process and its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    unit = (
        1 << 20 if sys.platform == "darwin" else 1 << 10
    )  # bytes there, kilobytes here, getrusage(2)
    return Usage(
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        max(usage.ru_maxrss for usage in usages) / unit,
    )


def limit_memory(megabytes: int) -> None:
    """Limit the address space of this process; macOS knows the limit and refuses to set it.

    Parameters
    ----------
    megabytes
        Limit.
    """
    with contextlib.suppress(*(() if LINUX else (OSError, ValueError))):
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


# Processes that work together


def shared_memory_mb() -> float | None:
    """Return the room in ``/dev/shm`` for memory that processes share, MB.

    None where the system keeps it elsewhere.
    """
    if not LINUX:
        return None
    place = "/dev/shm"  # noqa: S108 - the C library has no other
    if not os.access(place, os.W_OK | os.X_OK):
        return 0.0
    room = os.statvfs(place)
    return room.f_bavail * room.f_frsize / (1 << 20)


def semaphores_work() -> bool:
    """Return whether processes can share locks, as a pool of them does.

    On Linux that takes a ``/dev/shm``.
    """
    try:
        multiprocessing.get_context("spawn").Lock()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def locks_without_semaphores() -> Iterator[None]:
    """Let modules that are imported within the block make their locks where semaphores do not work.

    Such a lock holds within its process alone.
    """
    if semaphores_work():
        yield
        return
    lock = multiprocessing.Lock
    multiprocessing.Lock = threading.Lock  # type: ignore[assignment]
    try:
        yield
    finally:
        multiprocessing.Lock = lock


def forked_pools_work() -> bool:
    """Return whether this process may fork a pool of others.

    macOS's own libraries do not survive that.
    """
    return LINUX and semaphores_work()


# Identities


def enter_user_namespace(user: int) -> None:
    """Become another user in a new user namespace, and stay the same one outside it.

    Files stay whose they are.

    Parameters
    ----------
    user
        Number of the user, and of its group.

    Raises
    ------
    OSError
        If that is forbidden, as in containers and after a ``chroot``, or this is not Linux.
    """
    if not LINUX:
        raise OSError("no user namespaces")
    owner, group = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    maps = (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {owner} 1"),
        ("gid_map", f"{user} {group} 1"),
    )
    for name, content in maps:
        Path(f"/proc/self/{name}").write_text(content)


def child_can(prepare: Callable[[], None]) -> bool:
    """Return whether a child process can do something, such as to become another user, before its
    program starts.
    """
    try:
        subprocess.run(["true"], preexec_fn=prepare, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def assume_user(user: int) -> None:
    """Change from root to another user for good, who on Linux still reaches every file, as root
    does.

    Programs that refuse to run as root so work in folders that only root may enter. Where the
    container lets not even root pass over modes, the user reaches what any other would.

    Parameters
    ----------
    user
        Number of the user, and of its group.
    """
    if LINUX:
        _prctl(_PR_SET_KEEPCAPS, 1)
        _prctl(
            _PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP
        )  # access(2) would ignore the capability without it
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    if LINUX:
        bit = 1 << _CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        sets = (ctypes.c_uint32 * 6)(
            bit, bit, bit, 0, 0, 0
        )  # effective, permitted, inheritable; then the higher bits
        if _libc.capset(header, sets) == 0:
            _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE)
