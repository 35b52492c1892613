"""Size-bounded LRU cache."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["LruCache"]

_MOST = 512
"""Items that are kept."""

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


class LruCache(Generic[Key, Item]):
    """Items by key; those that were used last are kept.

    Parameters
    ----------
    most_bytes
        Bytes of all that are kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._items: OrderedDict[Key, tuple[Item, int]] = OrderedDict()
        self._bytes = 0

    def find(self, key: Key) -> Item | None:
        """Find an item."""
        if key not in self._items:
            return None
        self._items.move_to_end(key)
        return self._items[key][0]

    def drop(self, key: Key) -> None:
        """Drop an item."""
        _, size = self._items.pop(key)
        self._bytes -= size

    def keep(self, key: Key, item: Item, size: int) -> None:
        """Keep an item of some bytes in place of those that were not used for longest."""
        if key in self._items:
            self.drop(key)
        self._items[key] = item, size
        self._bytes += size
        while len(self._items) > _MOST or self._bytes > self._most_bytes:
            self.drop(next(iter(self._items)))
