"""Streams that turn whatever their file system raises into an error of COSMO."""

import io
from collections.abc import Callable
from typing import IO, Any

from shared.errors import CosmoError

__all__ = ["CheckedStream"]


class CheckedStream(io.RawIOBase):
    """Content of a file; whatever goes wrong while it is read is its file system's error.

    File systems raise much beside OSError (HTTP clients their own), so that the type alone does
    not show whether the file system or the reader of the stream is at fault.

    Parameters
    ----------
    stream
        Open file.
    failure
        Makes the error to raise from the one that was raised.
    """

    def __init__(self, stream: IO[bytes], failure: Callable[[Exception], CosmoError]) -> None:
        self._stream = stream
        self._failure = failure

    def readable(self) -> bool:
        """Return whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Return whether it can be read from any byte on."""
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte; returns which it is."""
        return self._stream.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer.

        Raises
        ------
        CosmoError
            If the file system does not hand the content out.
        """
        try:
            content = self._stream.read(len(buffer))
        except Exception as error:
            raise self._failure(error) from error
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._stream.close()
        super().close()
