"""Errors of the HTTP API: one shape for all, ``{"error": {"type", "message"}}``."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from shared.errors import CosmoError, TransientError
from shared.logs import get_logger

__all__ = ["ApiError", "install"]


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
    """

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


def _answer(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "message": message}}, status_code=status)


def install(app: FastAPI) -> None:
    """Give every error of an application the one shape."""

    @app.exception_handler(ApiError)
    async def _api(_request: Request, error: ApiError) -> JSONResponse:
        return _answer(error.status, error.kind, error.message)

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        return _answer(error.status_code, "http_error", str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        text = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        return _answer(422, "invalid_request", text)

    @app.exception_handler(CosmoError)
    async def _cosmo(_request: Request, error: CosmoError) -> JSONResponse:
        return _answer(503 if isinstance(error, TransientError) else 404, error.kind, str(error))

    @app.exception_handler(DBAPIError)
    async def _database(_request: Request, error: DBAPIError) -> JSONResponse:
        get_logger().warning("query failed", error=str(error.orig))
        if getattr(error.orig, "sqlstate", None) == "57014":
            return _answer(503, "too_slow", "the query took too long; ask for less, or filter on an indexed column")
        return _answer(503, "database_unavailable", "the database did not answer; try again")
