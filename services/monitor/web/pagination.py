"""Pages of the API: their bodies, and the ``Link`` header with the address of the next one."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request, Response

from services.monitor.queries.pages import encode_cursor

__all__ = ["link_cursor", "link_next", "page"]


def link_cursor(request: Request, response: Response, cursor: str | None) -> None:
    """Put the address of the next page, if there is one, into the ``Link`` header."""
    if cursor is not None:
        response.headers["Link"] = (
            f'<{request.url.include_query_params(cursor=cursor)}>; rel="next"'
        )


def link_next(request: Request, response: Response, key: Sequence[Any]) -> None:
    """Put the address of the page after a key into the ``Link`` header."""
    link_cursor(request, response, encode_cursor(key))


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
