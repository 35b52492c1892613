"""Pages of the API: their bodies, and the ``Link`` header with the address of the next one."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request, Response

from services.monitor.queries.pages import Records, encode_cursor
from services.monitor.response_models.common import Page

__all__ = ["Cursor", "Limit", "link_cursor", "link_next", "page_of"]

_Item = TypeVar("_Item")

_LONGEST_CURSOR = 4000
"""Characters of a cursor: it has a value of the column that a table is sorted by.

Whatever they are, with all other parameters they are fewer bytes than headers may have.
"""

Limit = Annotated[int, Query(ge=1, le=1000, description="Items of a page")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=_LONGEST_CURSOR,
        description="Where the page starts: the Link header of a page has it",
    ),
]


def link_cursor(request: Request, response: Response, cursor: str | None) -> None:
    """Put the address of the next page, if there is one, into the ``Link`` header."""
    if cursor is not None:
        response.headers["Link"] = (
            f'<{request.url.include_query_params(cursor=cursor)}>; rel="next"'
        )


def link_next(request: Request, response: Response, key: Sequence[Any]) -> None:
    """Put the address of the page after a key into the ``Link`` header."""
    link_cursor(request, response, encode_cursor(key))


def page_of(request: Request, response: Response, records: Records[_Item]) -> Page[_Item]:
    """Make the body of a page, with the address of the next one in the ``Link`` header.

    Parameters
    ----------
    request
        The request, whose address the next one resembles.
    response
        Response that gets the header.
    records
        Records of this page.
    """
    link_cursor(request, response, records.cursor)
    return Page(items=records.items)
