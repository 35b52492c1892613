"""Folder of the Unix sockets: private, and with a short path whatever that of the data."""

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from cosmo.launcher.identity import other_user
from shared.errors import PermanentError

__all__ = ["socket_folder"]

_SOCKET_PATH_LIMIT = 85
"""Bytes: Unix socket paths are limited to 107 of them (103 on macOS), and the sockets have names of
up to 14.
"""


def socket_folder(data_dir: Path) -> Path:
    """Return the folder for Unix sockets: in the data folder, or where its path does not do a short
    one that a link there names.

    Raises
    ------
    PermanentError
        If there is none, or it is somebody else's, who could put other sockets into it.
    """
    place = data_dir / "sockets"
    if _takes_sockets(place):
        if place.is_symlink():
            place.unlink()
        place.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(place):
            raise PermanentError(
                f"{place} belongs to another user: remove it, or choose another --data-dir"
            )
        place.chmod(0o700)
        return place
    name = f"cosmo-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}"
    folders = [Path(parent, name) for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp")]  # noqa: S108 - checked
    if place.is_symlink() and place.readlink().name == name:
        folders.insert(0, place.readlink())
    for folder in filter(_takes_sockets, folders):
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            if not _is_ours(folder) or folder.stat().st_mode & 0o077:
                continue
            place.unlink(missing_ok=True)
            place.symlink_to(folder)
            return folder
    raise PermanentError(
        f"the path {data_dir} is too long for Unix sockets: choose a shorter --data-dir, or TMPDIR"
    )


def _is_ours(folder: Path) -> bool:
    """Return whether a folder is one of this user, or of the one that Postgres runs as where this
    one is root.
    """
    state, mine = folder.lstat(), os.geteuid()
    owners = (mine, other_user()) if mine == 0 else (mine,)
    return stat.S_ISDIR(state.st_mode) and state.st_uid in owners


def _takes_sockets(folder: Path) -> bool:
    """Return whether sockets may lie in a folder.

    Short enough, and no list of folders to Postgres's clients.
    """
    return len(os.fsencode(folder)) <= _SOCKET_PATH_LIMIT and "," not in str(folder)
