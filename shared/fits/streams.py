"""Bytes of a FITS file, whether it is gzipped or not."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from isal import igzip, igzip_lib

from shared.errors import UNREADABLE, PermanentError, TransientError

__all__ = ["DAMAGED_GZIP", "inflated", "open_fits", "reading"]

_GZIP = b"\x1f\x8b"
DAMAGED_GZIP: tuple[type[Exception], ...] = (
    EOFError,
    zlib.error,
    cast("type[Exception]", igzip_lib.IsalError),
    igzip.BadGzipFile,
)
"""What reading damaged gzipped content raises."""


def inflated(stream: IO[bytes]) -> IO[bytes]:
    """Return the plain content of a stream that may be gzipped, as its first bytes show.

    Parameters
    ----------
    stream
        Stream at its first byte, buffered or able to seek.
    """
    if isinstance(stream, io.BufferedReader):
        zipped = stream.peek(2)[:2] == _GZIP
    else:
        zipped = stream.read(2) == _GZIP
        stream.seek(0)
    return cast("IO[bytes]", igzip.IGzipFile(fileobj=stream)) if zipped else stream


def open_fits(path: Path) -> IO[bytes]:
    """Open a local file, plain or gzipped."""
    return inflated(path.open("rb"))


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Say what a failed read means.

    Raises
    ------
    PermanentError
        If the gzip stream is damaged, or the content is of no form that can be read.
    TransientError
        If the file cannot be read, which says nothing of its content.
    """
    try:
        yield
    except DAMAGED_GZIP as error:
        raise PermanentError(f"{name}: damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise TransientError(
            f"{name} cannot be read: {error}; check the disk and the permissions"
        ) from error
    except UNREADABLE as error:
        raise PermanentError(
            f"{name}: its content cannot be read ({type(error).__name__}: {error})"
        ) from error
