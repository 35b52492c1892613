"""One start a folder: the lock on a data folder."""

import fcntl
import os
import time
from pathlib import Path

from shared.errors import PermanentError

__all__ = ["FolderLock"]

_LEFTOVER_SECONDS = 60.0
"""How long the servers of a killed start are waited for."""


class FolderLock:
    """Held while this process, or a child that it gave the lock to, works on a data folder.

    The kernel releases it with the last of them, however they end. The servers are given it: a
    start that was killed may leave a Postgres that still shuts down, and a second one on the same
    cluster would ruin it.

    Parameters
    ----------
    data_dir
        Folder.

    Raises
    ------
    PermanentError
        If the folder cannot be written, a living process holds it, or what a dead one left does not
        end in time.
    """

    def __init__(self, data_dir: Path) -> None:
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            self._stream = (data_dir / "lock").open("a+")
        except OSError as error:
            raise PermanentError(
                f"{data_dir} cannot be written ({error.strerror}): choose another folder with "
                "--data-dir"
            ) from error
        deadline = time.monotonic() + _LEFTOVER_SECONDS
        while not self._try():
            self._stream.seek(0)
            owner = self._stream.read().strip() or "unknown"
            if _is_alive(owner):
                self._stream.close()
                raise PermanentError(
                    f"COSMO already runs on {data_dir} (process {owner}): stop it, or choose "
                    "another --data-dir"
                )
            if time.monotonic() > deadline:
                self._stream.close()
                raise PermanentError(
                    f"servers of a COSMO that was killed still run on {data_dir}: end them (`fuser "
                    f"-v {data_dir / 'lock'}` lists them), or choose another --data-dir"
                )
            time.sleep(0.1)
        self._stream.truncate(0)
        self._stream.write(str(os.getpid()))
        self._stream.flush()

    def _try(self) -> bool:
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def fileno(self) -> int:
        """Return the descriptor to give to children, which hold the lock with it."""
        return self._stream.fileno()

    def release(self) -> None:
        """Let go of the folder."""
        self._stream.close()


def _is_alive(owner: str) -> bool:
    """Return whether a process number, as the lock's file has it, is somebody's."""
    try:
        os.kill(int(owner), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
