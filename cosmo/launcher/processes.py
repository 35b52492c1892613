"""Child processes that cannot outlive this one."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cosmo.launcher.identity import Identity
from cosmo.launcher.lock import FolderLock
from shared.errors import PermanentError
from shared.operating_system import signal_at_parents_end, tie

__all__ = ["spawn", "stop"]


def spawn(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    death_signal: int = signal.SIGTERM,
    identity: Identity | None = None,
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
    identity
        User that it runs as; None for that of this process.
    lock
        Lock of the data folder that the child works on, held until it has ended.
    descriptors
        Further open files that it inherits under the same numbers.

    Raises
    ------
    PermanentError
        If it cannot be started; the message says why.
    """

    def before_exec() -> None:
        if identity is not None:
            identity.assume()
        signal_at_parents_end(death_signal)  # last: a change of identity takes it back

    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment) if environment is not None else None,
                preexec_fn=before_exec,  # noqa: PLW1509 - it takes no lock
                start_new_session=True,
                pass_fds=(*descriptors, *((lock.fileno(),) if lock is not None else ())),
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise PermanentError(f"{command[0]} cannot be started: {error}") from error
    tie(process.pid, death_signal)
    return process


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
