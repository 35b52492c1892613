"""Errors of the HTTP API: one shape for all, ``{"error": {"type", "message", "detail"}}``."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from shared.errors import CosmoError, TransientError
from shared.logs import get_logger

__all__ = ["ApiError", "install"]

_QUERY_CANCELED = "57014"
_DATA_EXCEPTIONS = "22"
"""Class of the SQLSTATEs of values that a column cannot have (PostgreSQL documentation, appendix A)."""


class ApiError(Exception):
    """A request that cannot be answered.

    Parameters
    ----------
    status
        HTTP status.
    kind
        Word for programs, e.g. ``unknown_dataset``.
    message
        What was wrong and what to do.
    detail
        What a program may want to know beyond that.
    headers
        Headers that the answer must have.
    """

    def __init__(
        self, status: int, kind: str, message: str, detail: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message
        self.detail, self.headers = detail, headers


def _answer(
    status: int, kind: str, message: str, detail: Any = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    body = {"error": {"type": kind, "message": message, "detail": detail}}
    return JSONResponse(body, status_code=status, headers=dict(headers) if headers else None)


def _of_database(error: DBAPIError) -> JSONResponse:
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state == _QUERY_CANCELED:
        return _answer(503, "too_slow", "the query took too long; ask for less, or filter on an indexed column")
    if state.startswith(_DATA_EXCEPTIONS):
        return _answer(400, "bad_value", f"a value is outside what its column can have: {error.orig}")
    get_logger().warning("query failed", error=str(error.orig))
    return _answer(503, "database_unavailable", "the database did not answer; try again")


def install(app: FastAPI) -> None:
    """Give every error of an application the one shape."""

    @app.exception_handler(ApiError)
    async def _api(_request: Request, error: ApiError) -> JSONResponse:
        return _answer(error.status, error.kind, error.message, error.detail, error.headers)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        message = f"{request.method} {request.url.path}: {error.detail}; /api/v1/openapi.json lists what there is"
        return _answer(error.status_code, "http_error", message, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        detail = [{"where": ".".join(map(str, item["loc"])), "problem": item["msg"]} for item in error.errors()]
        text = "; ".join(f"{item['where']}: {item['problem']}" for item in detail)
        return _answer(422, "invalid_request", text, detail)

    @app.exception_handler(CosmoError)
    async def _cosmo(_request: Request, error: CosmoError) -> JSONResponse:
        return _answer(503 if isinstance(error, TransientError) else 409, error.kind, str(error))

    @app.exception_handler(DBAPIError)
    async def _database(_request: Request, error: DBAPIError) -> JSONResponse:
        return _of_database(error)

    @app.exception_handler(PoolTimeoutError)
    @app.exception_handler(OSError)
    async def _unreachable(_request: Request, error: Exception) -> JSONResponse:
        get_logger().warning("request failed", error=str(error))
        return _answer(503, "unavailable", "the database or the store does not answer; try again")

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
        get_logger().error("request broke", error=repr(error))
        return _answer(500, "internal", "the service could not answer; its log has the reason")
