"""Keyset pages: a page starts after a key, so that it costs the same however deep it is."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.monitor.queries.errors import BadValueError

__all__ = ["Records", "decode_cursor", "encode_cursor", "split"]

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Records(Generic[_Row]):
    """Records of a page.

    Attributes
    ----------
    items
        The records.
    cursor
        Cursor of the next page; None if this is the last one.
    """

    items: list[_Row]
    cursor: str | None


def decode_cursor(cursor: str | None, *readers: Callable[[Any], Any]) -> list[Any] | None:
    """Read the key that a page starts after; None for the first page.

    Parameters
    ----------
    cursor
        As the ``Link`` header had it.
    readers
        Make each part of the key what the query compares with; `ValueError` and the like refuse it.

    Raises
    ------
    BadValueError
        If the cursor is none of ours.
    """
    if cursor is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return [read(part) for read, part in zip(readers, key, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadValueError(
            "bad_cursor",
            "this cursor belongs to another query; take it from the Link header of a page",
        ) from error


def encode_cursor(key: Sequence[Any]) -> str:
    """Make the cursor of the page after a key."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode()


def split(rows: Sequence[_Row], limit: int) -> tuple[Sequence[_Row], bool]:
    """Split a query for one row too many into the rows of a page and whether there are more."""
    return rows[:limit], len(rows) > limit
