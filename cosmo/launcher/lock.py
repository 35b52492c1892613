"""One start a folder: the lock on a data folder."""

import fcntl
import os
from pathlib import Path

from shared.errors import PermanentError

__all__ = ["FolderLock"]


class FolderLock:
    """Held while this process works on a data folder; the kernel releases it however the process ends.

    Parameters
    ----------
    data_dir
        Folder.

    Raises
    ------
    PermanentError
        If another process holds it.
    """

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._stream = (data_dir / "lock").open("a+")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._stream.seek(0)
            owner = self._stream.read().strip() or "unknown"
            self._stream.close()
            raise PermanentError(
                f"COSMO already runs on {data_dir} (process {owner}): stop it, or choose another --data-dir"
            ) from error
        self._stream.truncate(0)
        self._stream.write(str(os.getpid()))
        self._stream.flush()

    def release(self) -> None:
        """Let go of the folder."""
        self._stream.close()
