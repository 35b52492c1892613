"""Child processes that cannot outlive this one."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cosmo.launcher.lock import FolderLock

__all__ = ["UNPRIVILEGED_ID", "spawn", "stop"]

UNPRIVILEGED_ID = 65534
"""User and group ``nobody``, for servers that refuse to run as root where user namespaces are forbidden."""

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent(number: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def _enter_user_namespace() -> None:
    """Become uid 1000 of a new user namespace, mapped to root outside: files stay root's, no user is created."""
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    for name, content in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        Path(f"/proc/self/{name}").write_text(content)


def namespaces_work() -> bool:
    """Whether a child may enter a user namespace (container runtimes often forbid it)."""
    try:
        subprocess.run(["/bin/true"], preexec_fn=_enter_user_namespace, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def spawn(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    death_signal: int = signal.SIGTERM,
    unprivileged: bool = False,
    lock: FolderLock | None = None,
    descriptors: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child that dies with this process.

    Parameters
    ----------
    command
        Program and arguments.
    log
        File that its output is appended to.
    environment
        Its whole environment; this process's where None.
    death_signal
        What it gets when this process dies, however it dies.
    unprivileged
        Whether the program refuses to run as root; then root gives it another identity.
    lock
        Lock of the data folder that the child works on, held until it has ended.
    descriptors
        Further open files that it inherits under the same numbers.
    """
    as_root = unprivileged and os.geteuid() == 0
    prepare: Callable[[], None] | None = _enter_user_namespace if as_root and namespaces_work() else None
    user = UNPRIVILEGED_ID if as_root and prepare is None else None

    def before_exec() -> None:
        if prepare is not None:
            prepare()
        _die_with_parent(death_signal)

    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else None,
            preexec_fn=before_exec,  # noqa: PLW1509 - it takes no lock
            user=user,
            group=user,
            start_new_session=True,
            pass_fds=(*descriptors, *((lock.fileno(),) if lock is not None else ())),
        )


def stop(process: subprocess.Popen[bytes], number: int, timeout: float) -> None:
    """Ask a child to stop; kill it when it does not within the timeout (seconds)."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
