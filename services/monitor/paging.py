"""Keyset pages: a page starts after a key, so that it costs the same however deep it is."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from fastapi import Request, Response

from services.monitor.errors import ApiError

__all__ = ["decode_cursor", "page"]


def decode_cursor(cursor: str | None, length: int) -> list[Any] | None:
    """Key that a page starts after; None for the first page.

    Raises
    ------
    ApiError
        If the cursor is none of ours.
    """
    if cursor is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except ValueError as error:
        raise ApiError(400, "bad_cursor", "this cursor is none of ours; take it from the Link header") from error
    if not isinstance(key, list) or len(key) != length:
        raise ApiError(400, "bad_cursor", "this cursor belongs to another sorting; start again without it")
    return key


def page(
    request: Request, response: Response, items: Sequence[dict[str, Any]], limit: int, last_key: Sequence[Any] | None
) -> dict[str, Any]:
    """Body of a page, with the address of the next one in the ``Link`` header when there may be more.

    Parameters
    ----------
    request
        The request, whose address the next one resembles.
    response
        Gets the header.
    items
        Items of this page.
    limit
        How many were asked for.
    last_key
        Key of the last item.
    """
    if last_key is not None and len(items) == limit:
        cursor = base64.urlsafe_b64encode(json.dumps(list(last_key), default=str).encode()).decode()
        url = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{url}>; rel="next"'
    return {"items": list(items)}
