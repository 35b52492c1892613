"""Errors: one shape in the API, ``{"error": {"type", "message", "detail"}}``, and a page where a
page was asked for.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from services.monitor.queries.errors import (
    BadValueError,
    ConflictError,
    NotFoundError,
    QueryError,
)
from services.monitor.tables.errors import TableError
from services.monitor.web.allowed_methods import allowed_methods
from services.monitor.web.pages.rendering import templates
from shared.errors import CosmoError, TransientError
from shared.logs import get_logger

__all__ = ["ApiError", "answer_error", "beyond_quota", "install"]

_QUERY_CANCELED = "57014"
_DATA_EXCEPTIONS = "22"
"""Class of the SQLSTATEs of values that a column cannot have (PostgreSQL documentation, appendix
A).
"""
_STATUS: Mapping[type[QueryError], int] = {
    BadValueError: 400,
    NotFoundError: 404,
    ConflictError: 409,
}


class ApiError(Exception):
    """A request that cannot be answered.

    Parameters
    ----------
    status
        HTTP status.
    kind
        Word for programs, e.g. ``unknown_dataset``.
    message
        What is wrong and what to do.
    detail
        Further machine-readable details.
    headers
        Headers that the answer must have.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        detail: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message
        self.detail, self.headers = detail, headers


def beyond_quota(most: int) -> ApiError:
    """Error of a recalibration too many."""
    message = (
        f"{most} recalibrations of this token are queued or running; wait for one of them, or "
        f"cancel a queued one"
    )
    return ApiError(429, "quota", message, headers={"Retry-After": "60"})


def _answer(
    request: Request,
    status: int,
    kind: str,
    message: str,
    detail: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    sent = dict(headers) if headers else None
    if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        "/api/"
    ):
        context = {"title": HTTPStatus(status).phrase, "message": message}
        return templates.TemplateResponse(
            request, "error.html", context, status_code=status, headers=sent
        )
    body = {"error": {"type": kind, "message": message, "detail": detail}}
    return JSONResponse(body, status_code=status, headers=sent)


def answer_error(request: Request, error: ApiError) -> Response:
    """Give an error the one shape."""
    return _answer(request, error.status, error.kind, error.message, error.detail, error.headers)


def _of_database(request: Request, error: DBAPIError) -> Response:
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state == _QUERY_CANCELED:
        return _answer(
            request,
            503,
            "too_slow",
            "the query took too long; ask for less, or filter on an indexed column",
        )
    if state.startswith(_DATA_EXCEPTIONS):
        return _answer(
            request, 400, "bad_value", f"a value is outside what its column can have: {error.orig}"
        )
    get_logger().warning("query failed", error=str(error.orig))
    return _answer(request, 503, "database_unavailable", "the database did not answer; try again")


def install(app: FastAPI) -> None:
    """Give every error of an application the one shape."""

    @app.exception_handler(ApiError)
    async def _api(request: Request, error: ApiError) -> Response:
        return answer_error(request, error)

    @app.exception_handler(QueryError)
    async def _query(request: Request, error: QueryError) -> Response:
        return _answer(request, _STATUS[type(error)], error.kind, error.message, error.detail)

    @app.exception_handler(TableError)
    async def _table(request: Request, error: TableError) -> Response:
        return _answer(request, 400, error.kind, error.message, error.detail)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        message = (
            f"{request.method} {request.url.path}: {error.detail}; /api/v1/openapi.json "
            "lists all operations"
        )
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            found = allowed_methods(app.routes, request.url.path) or ["GET", "HEAD"]  # static files
            headers["Allow"] = ", ".join(found)
        return _answer(request, error.status_code, "http_error", message, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        detail = [
            {"where": ".".join(map(str, item["loc"])), "problem": item["msg"]}
            for item in error.errors()
        ]
        text = "; ".join(f"{item['where']}: {item['problem']}" for item in detail)
        return _answer(request, 422, "invalid_request", text, detail)

    @app.exception_handler(CosmoError)
    async def _cosmo(request: Request, error: CosmoError) -> Response:
        return _answer(
            request, 503 if isinstance(error, TransientError) else 409, error.kind, str(error)
        )

    @app.exception_handler(DBAPIError)
    async def _database(request: Request, error: DBAPIError) -> Response:
        return _of_database(request, error)

    @app.exception_handler(PoolTimeoutError)
    @app.exception_handler(OSError)
    async def _unreachable(request: Request, error: Exception) -> Response:
        get_logger().warning("request failed", error=str(error))
        return _answer(
            request, 503, "unavailable", "the database or the store does not answer; try again"
        )

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        get_logger().error("request broke", error=repr(error))
        return _answer(
            request, 500, "internal", "the service could not answer; its log has the reason"
        )
