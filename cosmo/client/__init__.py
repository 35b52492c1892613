"""The HTTP API from Python: `Client` and `AsyncClient`."""

from cosmo.client.async_client import AsyncClient
from cosmo.client.client import Client
from cosmo.client.errors import (
    ApiError,
    ClientError,
    ConflictError,
    DownloadError,
    NoAnswerError,
    NotAllowedError,
    NotFoundError,
    RequestError,
    ServerError,
    TooManyRequestsError,
    UnexpectedAnswerError,
    WaitTimeoutError,
)
from cosmo.client.retries import Retry
from cosmo.client.tables import to_dataframe

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "ClientError",
    "ConflictError",
    "DownloadError",
    "NoAnswerError",
    "NotAllowedError",
    "NotFoundError",
    "RequestError",
    "Retry",
    "ServerError",
    "TooManyRequestsError",
    "UnexpectedAnswerError",
    "WaitTimeoutError",
    "to_dataframe",
]
