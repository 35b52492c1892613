"""Streams that distinguish the source's errors from those of their readers."""

import io
from typing import IO, Any

from shared.errors import TransientError

__all__ = ["SourceStream"]


class SourceStream(io.RawIOBase):
    """Content of a source's file; whatever goes wrong while it is read is the source's error.

    File systems raise much beside OSError (HTTP clients their own), so that the type alone does not
    tell.

    Parameters
    ----------
    stream
        Open file.
    url
        Its URL, for errors.
    """

    def __init__(self, stream: IO[bytes], url: str) -> None:
        self._stream = stream
        self._url = url

    def readable(self) -> bool:
        """Return whether it can be read: yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer.

        Raises
        ------
        TransientError
            If the source does not hand the content out.
        """
        try:
            content = self._stream.read(len(buffer))
        except Exception as error:
            raise TransientError(
                f"{self._url} cannot be read: {error}; it is tried again"
            ) from error
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._stream.close()
        super().close()
