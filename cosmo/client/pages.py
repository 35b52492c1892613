"""Pages of a list, one after the other."""

from collections.abc import Sequence
from typing import Protocol

import httpx

from cosmo.client.calls import Call, Flow, T, T_co

__all__ = ["Items", "following", "turn"]


class Items(Protocol[T_co]):
    """Page of a list."""

    @property
    def items(self) -> Sequence[T_co]:
        """Items of this page."""


def following(call: Call[T], response: httpx.Response) -> Call[T] | None:
    """Return the call for the page after an answer; None after the last one.

    Of the address in the ``Link`` header only the cursor is taken: the client stays with the
    service that it was made for, by whatever name a proxy knows it.

    Parameters
    ----------
    call
        The call.
    response
        Its answer.
    """
    url = response.links.get("next", {}).get("url")
    return None if url is None else call.asking(cursor=httpx.URL(url).params["cursor"])


def turn(call: Call[Items[T]]) -> Flow[tuple[Sequence[T], Call[Items[T]] | None]]:
    """Get the items of a page, and the call for the next one."""
    response: httpx.Response = yield call
    return call.read(response).items, following(call, response)
