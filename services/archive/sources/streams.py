"""Streams that distinguish the source's errors from those of their readers."""

from typing import IO

from shared.errors import TransientError
from shared.streams import CheckedStream

__all__ = ["SourceStream"]


class SourceStream(CheckedStream):
    """Content of a source's file; what goes wrong while it is read is a TransientError.

    Parameters
    ----------
    stream
        Open file.
    url
        Its URL, for errors.
    """

    def __init__(self, stream: IO[bytes], url: str) -> None:
        super().__init__(
            stream,
            lambda error: TransientError(f"{url} cannot be read: {error}; it is tried again"),
        )
