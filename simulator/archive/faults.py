"""Faults by rule: which requests fail, when, how often, and how."""

import asyncio
import re
import tomllib
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import PermanentError
from simulator.archive.description import problem_of
from simulator.archive.files import TOKEN_EXPIRED

__all__ = ["FaultRule", "FaultyArchive", "Kind", "content_fault", "read_rules"]

_SCOPE_KEY: Final = "simulator.archive.faults"
_SLICES_A_SECOND: Final = 10
_STATUSES: Final = (400, 401, 403, 404, 429, 500, 502, 503, 504)
_INVERTED: Final = bytes(255 - value for value in range(256))
_OTHER_ETAG: Final = '"another-version"'
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")
_EXECUTING: Final = {"status": "EXECUTING", "msg": "", "data": [], "fields": [], "paging": {}}
_HTML: Final = (
    "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head>"
    "<body><p>The archive is being maintained.</p></body></html>\n"
)


class Kind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    """Answered with ``status``, and ``Retry-After`` where ``retry_after`` is given."""
    SILENCE = "silence"
    """No byte comes after the first ``after`` ones, which are of the body."""
    SLOW = "slow"
    """The body comes at ``rate`` bytes a second."""
    CUT = "cut"
    """The body ends after ``after`` bytes; without ``length`` it looks complete."""
    WRONG_BYTES = "wrong-bytes"
    """The body has the right length, and other bytes from ``after`` on."""
    SIZE = "size"
    """Lists of products give sizes that are ``amount`` bytes too large."""
    NO_RANGE = "no-range"
    """A range is ignored, the whole file comes with 200."""
    RANGE_OFF = "range-off"
    """A range begins one byte too late."""
    ETAG = "etag"
    """The ETag is another one: with ``If-Range`` the whole file comes, with 200."""
    HTML = "html"
    """A page in HTML with status 200."""
    EXECUTING = "executing"
    """The status EXECUTING, as MAST's portal says of a query that still runs."""
    OVERFLOW = "overflow"
    """CADC's TAP service returns ``amount`` rows at most, and says that there are more."""
    SHIFT = "shift"
    """Pages behind the first begin ``amount`` rows too late; negative: too early."""
    REDIRECT = "redirect"
    """Redirected to the same path at ``location``."""
    EXPIRED_TOKEN = "expired-token"  # noqa: S105 - a word
    """Refused with 401 and a body that says that the token has expired, whichever was sent."""


_NEEDS: Final = {
    Kind.STATUS: "status",
    Kind.SLOW: "rate",
    Kind.SIZE: "amount",
    Kind.OVERFLOW: "amount",
    Kind.SHIFT: "amount",
    Kind.REDIRECT: "location",
}
"""What a rule of a kind must say."""


class FaultRule(BaseModel):
    """Rule of a file of faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        description="Pattern of the decoded path with its query, e.g. `*rawtag_a.fits*`"
    )
    kind: Kind = Field(description="What goes wrong")
    method: str | None = Field(None, description="Method of the requests; default: every one")
    request: int = Field(1, ge=1, description="First of the matching requests that fails")
    times: int = Field(1, ge=0, description="How many fail in a row; 0: all from there on")
    status: int | None = Field(None, description="400, 401, 403, 404, 429, 500, 502, 503 or 504")
    retry_after: int | None = Field(None, ge=0, description="Seconds that `status` says to wait")
    after: int = Field(0, ge=0, description="Bytes of the body that are right")
    length: bool = Field(True, description="Whether a body that is cut has a `Content-Length`")
    rate: float | None = Field(None, gt=0, description="Bytes a second of `slow`")
    amount: int = Field(0, description="Bytes of `size`, rows of `overflow` and `shift`")
    location: str | None = Field(
        None, description="Where `redirect` leads, e.g. `http://127.0.0.1:8001`"
    )

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        wanted = _NEEDS.get(self.kind)
        if wanted and not getattr(self, wanted):
            raise ValueError(f"{self.kind} needs {wanted}")
        if self.status is not None and self.status not in _STATUSES:
            raise ValueError(f"status is one of {', '.join(map(str, _STATUSES))}")
        return self


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fault: tuple[FaultRule, ...]


def read_rules(path: Path) -> tuple[FaultRule, ...]:
    """Read a file of rules, each a table ``[[fault]]`` in TOML.

    Raises
    ------
    PermanentError
        If it cannot be read, or a rule makes no sense; the message says which, and why.
    """
    try:
        return _Rules.model_validate(tomllib.loads(path.read_text())).fault
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PermanentError(f"the fault rules {path} cannot be read: {reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise PermanentError(f"the fault rules {path} are not TOML: {error}") from error
    except ValidationError as error:
        raise PermanentError(f"the fault rules {path}: {problem_of(error)}") from error


def content_fault(request: Request, kind: Kind) -> FaultRule | None:
    """Return the rule by which a handler must make a fault itself.

    Parameters
    ----------
    request
        Request that is answered.
    kind
        Fault of the content of a reply.
    """
    rules: Iterable[FaultRule] = request.scope.get(_SCOPE_KEY, ())
    return next((rule for rule in rules if rule.kind == kind), None)


class FaultyArchive:
    """ASGI application that fails by rule, and reports each request.

    Parameters
    ----------
    app
        The archive.
    rules
        Its faults; several may meet in one request.
    report
        Called with a line for each request that was answered: method, path, range, status, bytes
        of the body, faults.
    """

    def __init__(
        self,
        app: ASGIApp,
        rules: Iterable[FaultRule] = (),
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._app = app
        self._rules = tuple(rules)
        self._matched = [0] * len(self._rules)
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = unquote(f"{scope['path']}?{scope['query_string'].decode('latin-1')}".rstrip("?"))
        wanted = Headers(scope=scope).get("range", "")
        faults = self._due(scope["method"], address)
        reply = _FaultyReply(faults, receive, send)
        with suppress(_ConnectionCutError):
            await self._answer(faults)(_altered(scope, faults), receive, reply)
        kinds = " ".join(rule.kind for rule in faults)
        line = f"{scope['method']} {address} {wanted} {reply.status} {reply.sent} {kinds}"
        self._report(" ".join(line.split()))

    def _due(self, method: str, address: str) -> tuple[FaultRule, ...]:
        """Count the request, and return the rules by which it fails."""
        due = []
        for index, rule in enumerate(self._rules):
            if rule.method in (None, method) and fnmatchcase(address, rule.path):
                self._matched[index] += 1
                after = self._matched[index] - rule.request
                if after >= 0 and (rule.times == 0 or after < rule.times):
                    due.append(rule)
        return tuple(due)

    def _answer(self, faults: Iterable[FaultRule]) -> ASGIApp:
        """Return what answers: the archive, or a reply in its place."""
        for rule in faults:
            match rule.kind:
                case Kind.STATUS:
                    wait = (
                        {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
                    )
                    return PlainTextResponse(f"fault {rule.status}", rule.status or 500, wait)
                case Kind.HTML:
                    return HTMLResponse(_HTML)
                case Kind.EXECUTING:
                    return JSONResponse(_EXECUTING)
                case Kind.EXPIRED_TOKEN:
                    return JSONResponse(TOKEN_EXPIRED, 401)
                case Kind.REDIRECT:
                    return _Redirect(rule.location or "")
        return self._app


class _ConnectionCutError(Exception):
    """The reply ends here, and with it the connection."""


class _Redirect:
    """Redirect to the same path and query of another server."""

    def __init__(self, location: str) -> None:
        self._location = location.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        address = f"{self._location}{path}{'?' if query else ''}{query}"
        await RedirectResponse(address, 302)(scope, receive, send)


class _FaultyReply:
    """Sender of a reply whose headers and bytes are changed on their way.

    Attributes
    ----------
    status
        Status that was sent; 0 before.
    sent
        Bytes of the body that were sent.
    """

    def __init__(self, faults: Iterable[FaultRule], receive: Receive, send: Send) -> None:
        self._by_kind = {rule.kind: rule for rule in faults}
        self._receive = receive
        self._send = send
        self._over = False
        self.status = 0
        self.sent = 0

    async def __call__(self, message: Message) -> None:
        """Send a message of the application."""
        if self._over:
            return
        if message["type"] == "http.response.start":
            await self._start(message)
        elif message["type"] == "http.response.body":
            await self._continue(message.get("body", b""), message.get("more_body", False))

    async def _start(self, message: Message) -> None:
        if (silence := self._by_kind.get(Kind.SILENCE)) and not silence.after:
            await self._stay_silent()
        headers = MutableHeaders(raw=message["headers"])
        if Kind.ETAG in self._by_kind:
            headers["etag"] = _OTHER_ETAG
        if (cut := self._by_kind.get(Kind.CUT)) and not cut.length:
            del headers["content-length"]
        self.status = message["status"]
        await self._send(message)

    async def _continue(self, body: bytes, more: bool) -> None:
        if wrong := self._by_kind.get(Kind.WRONG_BYTES):
            right = max(0, wrong.after - self.sent)
            body = body[:right] + body[right:].translate(_INVERTED)
        if (cut := self._by_kind.get(Kind.CUT)) and self.sent + len(body) >= cut.after:
            await self._pass_on(body[: cut.after - self.sent], cut.length)
            self._over = True
            if cut.length:
                raise _ConnectionCutError
            return
        silence = self._by_kind.get(Kind.SILENCE)
        if silence and self.sent + len(body) >= silence.after:
            await self._pass_on(body[: silence.after - self.sent], more=True)
            await self._stay_silent()
        await self._pass_on(body, more)

    async def _pass_on(self, body: bytes, more: bool) -> None:
        """Send bytes at the rate that is wanted."""
        slow = self._by_kind.get(Kind.SLOW)
        step = max(1, int((slow.rate or 0) / _SLICES_A_SECOND)) if slow else len(body) or 1
        for start in range(0, max(1, len(body)), step):
            part = body[start : start + step]
            if slow:
                await asyncio.sleep(len(part) / (slow.rate or 1))
            await self._send(
                {
                    "type": "http.response.body",
                    "body": part,
                    "more_body": more or start + step < len(body),
                }
            )
            self.sent += len(part)

    async def _stay_silent(self) -> None:
        """Wait until the client has had enough."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        raise _ConnectionCutError


def _altered(scope: Scope, faults: Iterable[FaultRule]) -> Scope:
    """Return the request as the archive is to see it."""
    headers = MutableHeaders(raw=list(scope["headers"]))
    for rule in faults:
        match rule.kind:
            case Kind.NO_RANGE:
                _drop(headers, "range", "if-range")
            case Kind.ETAG if "if-range" in headers:
                _drop(headers, "range", "if-range")
            case Kind.RANGE_OFF if found := _RANGE.fullmatch(headers.get("range", "")):
                headers["range"] = f"bytes={int(found[1]) + 1}-{found[2]}"
    return {**scope, "headers": headers.raw, _SCOPE_KEY: tuple(faults)}


def _drop(headers: MutableHeaders, *names: str) -> None:
    for name in names:
        del headers[name]
