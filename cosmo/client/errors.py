"""Errors of the client, all of them also errors of COSMO."""

from typing import Any

import httpx
from pydantic import ValidationError

from services.monitor.response_models.common import ErrorDescription, ErrorResponse
from shared.errors import CosmoError, PermanentError, TransientError

__all__ = [
    "ApiError",
    "ClientError",
    "ConflictError",
    "DownloadError",
    "NoAnswerError",
    "NotAllowedError",
    "NotFoundError",
    "RequestError",
    "ServerError",
    "TooManyRequestsError",
    "UnexpectedAnswerError",
    "WaitTimeoutError",
    "api_error",
]

_NOT_ALLOWED, _NOT_FOUND, _CONFLICT = (401, 403), (404, 410), 409
_TOO_MANY, _SERVER = 429, 500
_EXCERPT = 200
"""Characters of an answer that is not of the API."""


class ClientError(CosmoError):
    """What a call ended with instead of a result.

    Parameters
    ----------
    call
        Method and path, e.g. ``GET /datasets/ldfd01010``.
    message
        What was wrong and what to do.

    Attributes
    ----------
    call, message
        As the parameters.
    status
        HTTP status; None where there was no answer.
    type
        Word for programs, e.g. ``unknown_dataset``.
    detail
        What a program may want to know beyond that; None for most errors.
    """

    status: int | None = None
    type = "client_error"
    detail: Any = None

    def __init__(self, call: str, message: str) -> None:
        super().__init__(call, message)
        self.call, self.message = call, message

    def __str__(self) -> str:
        return f"{self.call}: {self.message}"


class NoAnswerError(ClientError, TransientError):
    """The service could not be reached, was silent for too long, or the connection was lost.

    Parameters
    ----------
    call, message
        As of `ClientError`.
    sent
        Whether the service may have acted on the call.
    lost
        Whether the connection failed, so that another one may do.
    """

    type = "no_answer"

    def __init__(self, call: str, message: str, sent: bool = True, lost: bool = True) -> None:
        super().__init__(call, message)
        self.args = (call, message, sent, lost)
        self.sent, self.lost = sent, lost


class UnexpectedAnswerError(ClientError, PermanentError):
    """The answer has another shape than this version of the client reads."""

    type = "unexpected_answer"


class DownloadError(ClientError, TransientError):
    """What was downloaded is not what the service has: its size or SHA-256 differs."""

    type = "damaged_download"


class WaitTimeoutError(ClientError, TransientError):
    """What was waited for has not ended in the time that was given."""

    type = "not_finished"


class ApiError(ClientError):
    """An answer with an error; `status`, `type`, `message` and `detail` are those of the API.

    Parameters
    ----------
    call
        Method and path.
    status
        HTTP status.
    error
        Body of the answer.
    retry_after
        Seconds after which the service may answer, where it says so.
    """

    def __init__(
        self, call: str, status: int, error: ErrorDescription, retry_after: float | None = None
    ) -> None:
        super().__init__(call, error.message)
        self.args = (call, status, error, retry_after)
        self.status, self.type, self.detail = status, error.type, error.detail
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.call}: {self.status}: {self.message}"


class RequestError(ApiError, PermanentError):
    """The service refuses the call as it is (4xx)."""


class NotAllowedError(RequestError):
    """The token is missing, unknown, or lacks a scope (401, 403)."""


class NotFoundError(RequestError):
    """There is no such thing, or it is gone (404, 410)."""


class ConflictError(RequestError):
    """The state of things forbids it (409), e.g. a name that is taken."""


class TooManyRequestsError(ApiError, TransientError):
    """More was asked for than the service allows at once (429)."""


class ServerError(ApiError, TransientError):
    """The service could not answer (5xx)."""


def api_error(call: str, response: httpx.Response) -> ApiError:
    """Make the error of an answer that is none of success.

    Parameters
    ----------
    call
        Method and path.
    response
        The answer, read.
    """
    try:
        error = ErrorResponse.model_validate_json(response.content).error
    except ValidationError:
        error = ErrorDescription(type="http_error", message=response.text[:_EXCERPT], detail=None)
    kind = _type_of(response.status_code)
    return kind(call, response.status_code, error, _seconds(response.headers.get("Retry-After")))


def _type_of(status: int) -> type[ApiError]:
    if status in _NOT_ALLOWED:
        return NotAllowedError
    if status in _NOT_FOUND:
        return NotFoundError
    if status == _CONFLICT:
        return ConflictError
    if status == _TOO_MANY:
        return TooManyRequestsError
    return ServerError if status >= _SERVER else RequestError


def _seconds(text: str | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header; a date, which COSMO never sends, is none."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
