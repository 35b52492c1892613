"""Keyset pages: a page starts after a key, so that it costs the same however deep it is."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi import Request, Response

from services.monitor.web.error_responses import ApiError

__all__ = ["decode_cursor", "encode_cursor", "link_next", "page", "split"]

_Row = TypeVar("_Row")


def decode_cursor(cursor: str | None, *readers: Callable[[Any], Any]) -> list[Any] | None:
    """Key that a page starts after; None for the first page.

    Parameters
    ----------
    cursor
        As the ``Link`` header had it.
    readers
        Make each part of the key what the query compares with; `ValueError` and the like refuse it.

    Raises
    ------
    ApiError
        If the cursor is none of ours.
    """
    if cursor is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return [read(part) for read, part in zip(readers, key, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ApiError(
            400,
            "bad_cursor",
            "this cursor belongs to another query; take it from the Link header of a page",
        ) from error


def encode_cursor(key: Sequence[Any]) -> str:
    """Cursor of the page after a key."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode()


def split(rows: Sequence[_Row], limit: int) -> tuple[Sequence[_Row], bool]:
    """Rows of a page out of a query for one more, and whether there are others behind them."""
    return rows[:limit], len(rows) > limit


def link_next(request: Request, response: Response, key: Sequence[Any]) -> None:
    """Put the address of the page after a key into the ``Link`` header."""
    response.headers["Link"] = (
        f'<{request.url.include_query_params(cursor=encode_cursor(key))}>; rel="next"'
    )


def page(
    request: Request, response: Response, items: Sequence[dict[str, Any]], key: Sequence[Any] | None
) -> dict[str, Any]:
    """Body of a page, with the address of the next one in the ``Link`` header.

    Parameters
    ----------
    request
        The request, whose address the next one resembles.
    response
        Gets the header.
    items
        Items of this page.
    key
        Key of the last item, when there are more behind it.
    """
    if key is not None:
        link_next(request, response, key)
    return {"items": list(items)}
