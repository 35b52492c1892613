"""Trouble of the environment (disk, store, database, memory).

It is no job's fault, and stops every job alike.
"""

import errno

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.database.engine import is_outage
from shared.errors import OutageError, TransientError

__all__ = ["is_trouble", "refusal"]

_ERRNOS = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),  # disks that take nothing
        *(errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO),  # disks that are away
        *(errno.ENOMEM, errno.EMFILE, errno.ENFILE),  # a machine that has no more to give
    }
)
"""errno(3). EIO is not among them: it is also how one damaged file reads."""


def is_trouble(error: BaseException) -> bool:
    """Return whether an error is the environment's, so that the work is to wait until that is well
    again.
    """
    if isinstance(error, DBAPIError):
        return is_outage(error)
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return True
    return isinstance(
        error, (OutageError, MemoryError, PoolTimeoutError, ConnectionError, TimeoutError)
    )


def refusal(error: OSError, message: str) -> TransientError:
    """Return the error to raise where a file could not be written, after what was wrong with it."""
    return OutageError(message) if is_trouble(error) else TransientError(message)
