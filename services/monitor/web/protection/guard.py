"""What every request passes before it is routed: host, token, size and time.

And the headers of every answer.

A body is read only after the token that it needs was found good, and never beyond its limit.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.monitor.web.error_responses import ApiError, answer_error
from services.monitor.web.protection import audit
from services.monitor.web.protection.declarations import RequiredScopes
from services.monitor.web.protection.tokens import Caller, authenticate
from services.monitor.web.request_metrics import RequestMetrics
from shared.database.engine import Database
from shared.settings import ApiSettings

__all__ = ["Guard"]

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
_MOST_BODY = 1 << 20
_BODY_SECONDS = 30.0
"""Pause in which nothing of a body comes, after which its request is given up."""
_HEALTH = "/api/v1/health/"
"""Asked by whatever watches over the process, under the address that this has there."""

_POLICY = (
    "default-src 'none'; script-src 'self'{drawing}; "
    # The hash is that of an empty style element, which Plotly puts rules into.
    "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; "
    # It makes pictures of figures by way of blob: and data: addresses.
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_DRAWING = "/monitors/"
"""Pages with figures of many points: what Plotly draws these with (regl) makes functions of texts.
"""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def _headers_of(path: str) -> dict[str, str]:
    """Headers that an answer has, by the path alone: a browser takes over those of a 304, too."""
    drawing = " 'unsafe-eval'" if path.startswith(_DRAWING) else ""
    return {**_HEADERS, "Content-Security-Policy": _POLICY.format(drawing=drawing)}


def _host_of(headers: Headers) -> str:
    """Name in the header ``Host``, in lower case, without port and brackets.

    Empty if there is not exactly one.
    """
    given = headers.getlist("host")
    text = given[0].strip().lower() if len(given) == 1 else ""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")


class Guard:
    """ASGI application around another one.

    Parameters
    ----------
    app
        Application that answers what is let through.
    settings
        Hosts, tokens and limits.
    database
        Where calls that change state are recorded.
    scopes
        Scopes that calls need.
    uploads
        Paths whose bodies are files, with a limit of their own; their handlers read them as they
        come.
    metrics
        Counts the requests, those that are refused too.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ApiSettings,
        database: Database,
        scopes: RequiredScopes,
        uploads: Collection[str],
        metrics: RequestMetrics,
    ) -> None:
        self._app, self._settings, self._database = app, settings, database
        self._scopes, self._uploads = scopes, uploads
        self._hosts, self._metrics = settings.known_hosts, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller, app, began = None, self._app, time.monotonic()
        try:
            self._check_host(scope)
            caller = self._authenticate(scope)
            receive = await self._bounded(scope, caller, receive)
        except ApiError as error:
            app = answer_error(Request(scope), error)
        except ConnectionError:  # the client went before its body was complete
            return
        # HEAD is the answer to GET without its body, whatever the route.
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope

        async def note(status: int) -> None:
            self._metrics.count(asked, scope["method"], status, time.monotonic() - began)
            if caller is not None:
                await audit.record(self._database, caller.name, asked, status)

        await app(
            asked,
            receive,
            _Sender(send, _headers_of(scope["path"]), note, head=asked is not scope).send,
        )

    def _check_host(self, scope: Scope) -> None:
        """Refuse a name that is not ours: it may be another site's that was pointed at our
        address.
        """
        if scope["path"].startswith(_HEALTH):
            return
        host = _host_of(Headers(scope=scope))
        if not host:
            raise ApiError(400, "bad_host", "a request needs one Host header")
        if host not in self._hosts:
            message = (
                f"{host!r} is not a name of this service; if it should be, add it to "
                f"COSMO_API__HOSTS"
            )
            raise ApiError(421, "unknown_host", message)

    def _authenticate(self, scope: Scope) -> Caller | None:
        if scope["method"] in _READS or self._scopes.lack_method(scope):
            return None
        return authenticate(self._settings, Headers(scope=scope).get("authorization", ""))

    async def _bounded(self, scope: Scope, caller: Caller | None, receive: Receive) -> Receive:
        """Check the scope of the token and the length that is announced, and bound the body."""
        if caller is not None and (needed := self._scopes.of(scope)) is not None:
            caller.require(needed)
        is_upload = caller is not None and scope["path"] in self._uploads
        limit, setting = _MOST_BODY, ""
        if is_upload:
            limit, setting = (
                self._settings.upload_limit_mb << 20,
                "; see COSMO_API__UPLOAD_LIMIT_MB",
            )
        too_large = ApiError(413, "too_large", f"a body may have {limit >> 20} MB here{setting}")
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > limit:
            raise too_large
        if caller is None:
            return receive  # nothing reads it
        body = _Body(receive, limit, too_large)
        return body.receive if is_upload else await body.kept()


class _Body:
    """Body of a request, within its limits."""

    def __init__(self, receive: Receive, limit: int, too_large: ApiError) -> None:
        self._receive, self._limit, self._too_large = receive, limit, too_large
        self._size, self._complete = 0, False

    async def receive(self) -> Message:
        """Receive a part; after the last one, what else happens."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                message = await self._receive()
        except TimeoutError as error:
            text = f"no part of the body arrived for {_BODY_SECONDS:.0f} s"
            raise ApiError(408, "slow_body", text, headers={"Connection": "close"}) from error
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._size > self._limit:
            raise self._too_large
        return message

    async def kept(self) -> Receive:
        """Receive all of it; gives what hands it on."""
        parts: list[bytes] = []
        while not self._complete:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ConnectionAbortedError
            parts.append(message.get("body", b""))
        messages: list[Message] = [
            {"type": "http.request", "body": b"".join(parts), "more_body": False}
        ]

        async def hand_on() -> Message:
            return messages.pop() if messages else await self._receive()

        return hand_on


class _Sender:
    """Way of an answer to the client: with the headers that all have, noted before it leaves,
    bodiless for HEAD.
    """

    def __init__(
        self,
        send: Send,
        headers: Mapping[str, str],
        note: Callable[[int], Awaitable[None]],
        *,
        head: bool,
    ) -> None:
        self._send, self._headers, self._note, self._head = send, headers, note, head

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(self._headers)
            await self._note(message["status"])
            await self._send(message)
            if (
                self._head
            ):  # the server takes the client for gone now, which ends what would make a body
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        elif not self._head:
            await self._send(message)
