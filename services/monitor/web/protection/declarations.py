"""What routes declare: the scope that a call needs, and the query parameters that it knows."""

from collections.abc import Sequence

from fastapi import Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, compile_path
from starlette.types import Scope as AsgiScope

from services.monitor.web.allowed_methods import allowed_methods
from services.monitor.web.error_responses import ApiError
from services.monitor.web.protection.tokens import Requires
from services.monitor.web.statuses import nested
from shared.settings import Scope

__all__ = ["RequiredScopes", "declared_parameters", "refuse_unknown_parameters"]


class RequiredScopes:
    """Scopes that calls need, known before they are routed.

    Parameters
    ----------
    routes
        Routes of the application.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes
        self._known = [
            (compile_path(found.path)[0], method, part.call.scope)
            for found in iter_route_contexts(routes)
            if isinstance(route := found.original_route, APIRoute) and found.path
            for part in nested(route.dependant)
            if isinstance(part.call, Requires)
            for method in route.methods or ()
        ]

    def of(self, request: AsgiScope) -> Scope | None:
        """Find the scope that a request needs; None where its route declares none."""
        path, method = request["path"], request["method"]
        return next(
            (scope for regex, known, scope in self._known if known == method and regex.match(path)),
            None,
        )

    def lack_method(self, request: AsgiScope) -> bool:
        """Say whether the path of a request is one of ours and its method is none that it has."""
        methods = allowed_methods(self._routes, request["path"])
        return bool(methods) and request["method"] not in methods


async def refuse_unknown_parameters(request: Request) -> None:
    """Refuse query parameters that a route does not declare.

    Where `takes_filters` is set, they are columns.

    Raises
    ------
    ApiError
        422, which names the parameter and those that there are.
    """
    parts = nested(request.scope["route"].dependant)
    if not request.query_params or any(
        getattr(part.call, "takes_filters", False) for part in parts
    ):
        return
    known = sorted(declared_parameters(request))
    for name in request.query_params:
        if name not in known:
            takes = f"there are {', '.join(known)}" if known else "there are none"
            message = f"{request.url.path} has no query parameter {name!r}; {takes}"
            raise ApiError(422, "unknown_parameter", message, known)


def declared_parameters(request: Request) -> frozenset[str]:
    """Names of the query parameters that the route of a request declares."""
    return frozenset(
        parameter.alias
        for part in nested(request.scope["route"].dependant)
        for parameter in part.query_params
    )
