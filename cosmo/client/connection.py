"""What both clients share: where the service is, and how a call becomes a request."""

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx

from cosmo.client.calls import Call
from cosmo.client.errors import NoAnswerError
from cosmo.client.retries import Retry
from cosmo.launcher.address import Address, read_address

__all__ = ["Connection", "find_address"]

Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_LOST = (httpx.NetworkError, httpx.RemoteProtocolError)
_DEFAULT_DIR, _DEFAULT_RETRY = Path("cosmo-data"), Retry()


def find_address(url: str | None, token: str | None, data_dir: Path) -> Address:
    """Find the service and the token for it; the parameters are those of `Connection`.

    Raises
    ------
    PermanentError
        If no address is named, and nothing was started on the folder.
    """
    url = url or os.environ.get("COSMO_URL")
    token = token or os.environ.get("COSMO_TOKEN")
    if url:
        return Address(url, token or "")
    started = read_address(data_dir)
    return Address(started.url, token or started.token)


class Connection(ABC, Generic[Http]):
    """Settings and connections of a client.

    Parameters
    ----------
    url
        Address of the service, e.g. ``http://127.0.0.1:8080``; without it, ``COSMO_URL``, else the
        service that ``cosmo up`` started on `data_dir`.
    token
        Bearer token, for calls that change state; without it, ``COSMO_TOKEN``, else the token of
        the service that ``cosmo up`` started.
    data_dir
        Data folder of ``cosmo up``.
    timeout
        Seconds of silence after which an answer is given up.
    retry
        How often a call is sent again.
    page_size
        Items that are fetched at once when a list is iterated over, at most 1,000.

    Raises
    ------
    PermanentError
        If no address is named, and nothing was started on the folder.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        data_dir: Path = _DEFAULT_DIR,
        timeout: float = 30.0,
        retry: Retry = _DEFAULT_RETRY,
        page_size: int = 100,
    ) -> None:
        address = find_address(url, token, data_dir)
        self.url = address.url.rstrip("/")
        self.retry, self.page_size = retry, page_size
        headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
        self._http: Http = self._connect(
            base_url=f"{self.url}/api/v1", headers=headers, timeout=timeout
        )

    @abstractmethod
    def _connect(self, **options: Any) -> Http:
        """Make the HTTP client."""

    def _request(
        self, call: Call[object], content: Iterator[bytes] | AsyncIterator[bytes] | None
    ) -> httpx.Request:
        """Make the request of a call, with its body, where that is a file."""
        headers = dict(call.headers)
        if call.upload is not None:
            headers["Content-Length"] = str(call.upload.stat().st_size)
        return self._http.build_request(
            call.method,
            call.path,
            params=call.query or None,
            headers=headers,
            json=call.body,
            content=content,
            timeout=httpx.USE_CLIENT_DEFAULT if call.timeout is None else call.timeout,
        )

    @contextmanager
    def _translated(self, call: Call[object]) -> Iterator[None]:
        """Raise what goes wrong between here and the service as an error of the client."""
        try:
            yield
        except httpx.TransportError as error:
            raise NoAnswerError(
                str(call),
                f"no answer from {self.url}: {str(error) or type(error).__name__}; "
                "is `cosmo up` running?",
                sent=not isinstance(error, _UNSENT),
                lost=isinstance(error, _LOST),
            ) from error
