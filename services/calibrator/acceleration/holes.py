"""Sparse files: blocks of zeros, of which images of events mostly consist, take no room."""

from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np

__all__ = ["HoleyFile"]

_BLOCK = 4096
"""What file systems give room by, bytes."""


class HoleyFile:
    """File that is written once, from its begin to its end.

    Whoever reads it finds the zeros that have no room.

    Parameters
    ----------
    path
        Where it is to be.
    mode
        ``x`` for a new file, ``w`` for one whose content goes.

    Attributes
    ----------
    name
        The path; Astropy looks there for the room that is left when it runs out.

    Raises
    ------
    FileExistsError
        If a new file is there already.
    """

    def __init__(self, path: str | Path, mode: Literal["x", "w"] = "x") -> None:
        self.name = str(path)
        self._file = Path(path).open(f"{mode}b")  # noqa: SIM115 - closed by `close`
        self._at = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file its length, and close it."""
        if not self._file.closed:
            with self._file:
                self._file.truncate(self._at)

    def tell(self) -> int:
        """Tell how many bytes there are."""
        return self._at

    def write(self, content: bytes | memoryview) -> int:
        """Append bytes; those of whole blocks that are zero are passed over."""
        data = np.frombuffer(content, dtype=np.uint8)
        head = min(-self._at % _BLOCK, len(data))
        blocks = (len(data) - head) // _BLOCK
        tail = head + blocks * _BLOCK
        filled = data[head:tail].view(np.uint64).reshape(blocks, _BLOCK // 8).any(axis=1)
        edges = np.flatnonzero(np.diff(filled, prepend=False, append=False)) * _BLOCK + head
        for start, stop in ((0, head), *edges.reshape(-1, 2).tolist(), (tail, len(data))):
            if stop > start:
                self._file.seek(self._at + start)
                self._file.write(data[start:stop].data)
        self._at += len(data)
        return len(data)
