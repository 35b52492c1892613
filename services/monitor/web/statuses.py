"""Statuses that operations may answer, in the OpenAPI schema.

Some are of every operation; others follow from what a route has: its dependencies, its method, the
parameters of its path. Those that only its handler knows are declared with `may_answer`, which
dependencies use as well.
"""

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from services.monitor.response_models.common import ErrorResponse
from services.monitor.web.protection.tokens import Requires

__all__ = ["document_statuses", "may_answer", "nested"]

_Marked = TypeVar("_Marked", bound=Callable[..., Any])

_MARK = "__cosmo_statuses__"
_READS = frozenset({"GET", "HEAD"})
_ALWAYS = frozenset({400, 408, 413, 421, 422, 431, 500, 503})
"""What the connection, the guard, the check of query parameters and a defect answer on every route.
"""
_PATH, _CHANGE = frozenset({404}), frozenset({401, 403})
"""What a parameter of the path, and a method that changes something, may lead to."""
_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}}
_MEANINGS = {
    200: "Done before; nothing new was created",
    201: "Made",
    202: "Accepted; it will be done",
    206: "The part that was asked for",
    304: "Not modified since the client's copy",
    400: "A value, a cursor or the header Host cannot be used",
    401: "The token is missing or unknown",
    403: "The token lacks the scope, or no token is configured",
    404: "Not found",
    408: "The headers or the body did not come in time",
    409: "The state of the resource does not allow it",
    410: "The file is no longer in the store",
    413: "The body is too large",
    415: "The body is not of the kind that is read here",
    416: "The range is outside the file",
    421: "The name in the header Host is not one of this service",
    422: "A parameter or the body is not as the schema says",
    429: "The quota of the token is used up; Retry-After says when to try again",
    431: "The headers are too large",
    500: "A defect; the log has the reason",
    503: "The database, the store or a service does not answer, or too much is asked at once; try "
    "again",
}
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": "How to authenticate"},
    206: {"Content-Range": "Range of bytes in the answer, and size of the file"},
    304: {"ETag": "Version that the client has"},
    416: {"Content-Range": "Size of the file in bytes"},
    429: {"Retry-After": "Seconds"},
}


def may_answer(*statuses: int) -> Callable[[_Marked], _Marked]:
    """Declare statuses that a handler, or routes with a dependency, may answer beyond the usual.

    Parameters
    ----------
    statuses
        Errors, which have the one shape; or 200 to 206, whose body is that of the route's usual
        answer.
    """
    if unknown := set(statuses) - set(_MEANINGS):
        raise ValueError(f"no meaning of {sorted(unknown)} is known; add it to _MEANINGS")

    def mark(marked: _Marked) -> _Marked:
        setattr(marked, _MARK, getattr(marked, _MARK, frozenset()) | set(statuses))
        return marked

    return mark


def nested(dependant: Dependant) -> Iterator[Dependant]:
    """List a handler and its dependencies, however deep."""
    yield dependant
    for inner in dependant.dependencies:
        yield from nested(inner)


def document_statuses(schema: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Say in an OpenAPI schema what each operation may answer, and which token it needs.

    Parameters
    ----------
    schema
        The schema, which is changed.
    routes
        Routes of the application.
    """
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # the framework's; errors here differ
        schemas.pop(name, None)
    error = ErrorResponse.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(error.pop("$defs", {}))
    schemas["ErrorResponse"] = error
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for found in iter_route_contexts(routes):
        route = found.original_route
        if not isinstance(route, APIRoute) or found.path not in schema["paths"]:
            continue
        for method in route.methods or ():
            operation = schema["paths"][found.path][method.lower()]
            _document(operation, route, method, list(nested(route.dependant)))


def _document(
    operation: dict[str, Any], route: APIRoute, method: str, parts: Sequence[Dependant]
) -> None:
    responses = operation.setdefault("responses", {})
    usual = str(route.status_code or 200)
    scopes = [part.call.scope.value for part in parts if isinstance(part.call, Requires)]
    if scopes:
        operation["security"] = [{"token": scopes}]
    statuses = _of_route(method, parts, needs_token=bool(scopes))
    for status in sorted(statuses - {int(usual)}):
        content = _content(status, responses.get(usual, {}))
        responses[str(status)] = {
            "description": _MEANINGS[status],
            **({"headers": _headers(status)} if status in _HEADERS else {}),
            **({"content": content} if content else {}),
        }
    operation["responses"] = dict(sorted(responses.items()))


def _of_route(method: str, parts: Sequence[Dependant], *, needs_token: bool) -> frozenset[int]:
    statuses = _ALWAYS.union(*(getattr(part.call, _MARK, ()) for part in parts))
    if any(part.path_params for part in parts):
        statuses |= _PATH
    if needs_token or method not in _READS:
        statuses |= _CHANGE
    return statuses


def _content(status: int, usual: dict[str, Any]) -> dict[str, Any]:
    if status == HTTPStatus.NOT_MODIFIED:
        return {}
    if status >= HTTPStatus.BAD_REQUEST:
        return _ERROR
    content: dict[str, Any] = usual.get("content", {})
    return content


def _headers(status: int) -> dict[str, Any]:
    return {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in _HEADERS[status].items()
    }
