"""Requests and their latency, by the template of their route: no client makes a new series."""

from collections.abc import Sequence

from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import Scope

from shared.metrics import HTTP_REQUESTS, HTTP_SECONDS

__all__ = ["RequestMetrics"]

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_OTHER = "other"
"""Method that HTTP does not have, and route of what none takes or what was refused before."""
_STATIC = "/static/"


class RequestMetrics:
    """Counts the requests of an application.

    Parameters
    ----------
    routes
        Its routes.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._templates = {
            id(found.original_route): found.path
            for found in iter_route_contexts(routes)
            if isinstance(found.original_route, APIRoute) and found.path
        }

    def count(self, scope: Scope, method: str, status: int, seconds: float) -> None:
        """Count a request whose answer begins.

        Parameters
        ----------
        scope
            Its scope after it was routed.
        method
            Its method.
        status
            Status of its answer.
        seconds
            Time since it came.
        """
        found = self._templates.get(id(scope.get("route")))
        route = found or (_STATIC if scope["path"].startswith(_STATIC) else _OTHER)
        known = method if method in _METHODS else _OTHER
        HTTP_REQUESTS.labels(known, route, str(status)).inc()
        HTTP_SECONDS.labels(known, route).observe(seconds)
