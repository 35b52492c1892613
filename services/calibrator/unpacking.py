"""Plain copies of files that may be gzipped."""

import errno
import shutil
from pathlib import Path

from isal import igzip

from shared.errors import PermanentError, TransientError
from shared.fits.streams import DAMAGED_GZIP

__all__ = ["is_disk_full", "unpack"]

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


def is_disk_full(error: OSError) -> bool:
    """Whether a file could not be written because its disk or quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def unpack(source: Path, target: Path) -> None:
    """Copy a file, unpacked if it is gzipped, whatever its name says.

    Parameters
    ----------
    source
        File, plain or gzipped.
    target
        The copy.

    Raises
    ------
    PermanentError
        If the gzipped content is damaged; the message names the file.
    TransientError
        If the disk is full or the file cannot be read.
    """
    try:
        with source.open("rb") as probe:
            zipped = probe.read(len(_GZIP)) == _GZIP
        with igzip.open(source, "rb") if zipped else source.open("rb") as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out, _CHUNK)
    except DAMAGED_GZIP as error:
        raise PermanentError(f"{source.name}: damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        what = f"{target.parent} is full; free space" if is_disk_full(error) else "try again when it can be read"
        raise TransientError(f"{source.name} could not be copied ({error}): {what}") from error
