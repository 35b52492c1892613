"""Traces of requests: the caller's where it names one, else a new one.

Logs and the jobs of a request carry it.
"""

import re
from collections.abc import Iterable

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.logs import current_trace

__all__ = ["Tracing"]

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, section 3.2: version, trace, parent, flags."""


class Tracing:
    """ASGI middleware that binds the trace of each request.

    Parameters
    ----------
    app
        Application that answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request within its trace."""
        trace = _named(scope.get("headers", ())) or current_trace()
        with structlog.contextvars.bound_contextvars(trace=trace):
            await self._app(scope, receive, send)


def _named(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Trace that the header ``traceparent`` names; one of zeros only is none."""
    found = _TRACEPARENT.fullmatch(dict(headers).get(b"traceparent", b""))
    return found[1].decode() if found and found[1].strip(b"0") else None
