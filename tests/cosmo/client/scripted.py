"""Client of a service whose answers a test makes."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx

from cosmo.client import Client, Retry

__all__ = ["Body", "Scripted", "refusal"]

Handler = Callable[[httpx.Request], httpx.Response]


class Scripted(Client):
    """Client of a function; it keeps the requests."""

    def __init__(self, handler: Handler, retry: Retry | None = None) -> None:
        self._handler, self.requests = handler, list[httpx.Request]()
        super().__init__("http://cosmo", "secret", retry=retry or Retry(first_pause=0.0))

    def _connect(self, **options: Any) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self._answered), **options)

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._handler(request)


class Body(httpx.SyncByteStream):
    """Body of an answer; where it breaks, the connection is lost after its bytes."""

    def __init__(self, content: bytes, breaks: bool = False) -> None:
        self._content, self._breaks = content, breaks

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        if self._breaks:
            raise httpx.ReadError("connection reset")


def refusal(status: int, kind: str, detail: Any = None, **headers: str) -> httpx.Response:
    """Make an error as the service answers it."""
    error = {"type": kind, "message": f"because of {kind}", "detail": detail}
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    return httpx.Response(status, json={"error": error}, headers=sent)
