"""Plain copies of files that may be gzipped."""

import shutil
from pathlib import Path

from isal import igzip

from shared.errors import PermanentError
from shared.fits.streams import DAMAGED_GZIP
from shared.outages import refusal

__all__ = ["unpack"]

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


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
    OutageError
        If the disk is full.
    TransientError
        If the file cannot be read.
    """
    try:
        with source.open("rb") as probe:
            zipped = probe.read(len(_GZIP)) == _GZIP
        with (
            igzip.open(source, "rb") if zipped else source.open("rb") as stream,
            target.open("wb") as out,
        ):
            shutil.copyfileobj(stream, out, _CHUNK)
    except DAMAGED_GZIP as error:
        raise PermanentError(
            f"{source.name}: damaged gzip file ({error}); fetch it again"
        ) from error
    except OSError as error:
        what = f"free space in {target.parent}, or try again when the file can be read"
        raise refusal(error, f"{source.name} could not be copied ({error}): {what}") from error
