"""What was asked for last, as far as there is room."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["LruCache"]

_MOST = 512
"""Things that are kept."""

Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")


class LruCache(Generic[Key, Kept]):
    """Things by what they are asked for by; the ones asked for last are kept.

    Parameters
    ----------
    most_bytes
        Bytes of all that are kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Key, tuple[Kept, int]] = OrderedDict()
        self._bytes = 0

    def find(self, key: Key) -> Kept | None:
        """Find what is kept."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def drop(self, key: Key) -> None:
        """Keep a thing no longer."""
        _, size = self._kept.pop(key)
        self._bytes -= size

    def keep(self, key: Key, thing: Kept, size: int) -> None:
        """Keep a thing of some bytes in place of those that were asked for longest ago."""
        if key in self._kept:
            self.drop(key)
        self._kept[key] = thing, size
        self._bytes += size
        while len(self._kept) > _MOST or self._bytes > self._most_bytes:
            self.drop(next(iter(self._kept)))
