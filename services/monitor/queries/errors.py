"""Errors of queries; the web process translates them into answers."""

from typing import Any

__all__ = ["BadValueError", "ConflictError", "NotFoundError", "QueryError"]


class QueryError(Exception):
    """A query that has no answer; raise one of its kinds.

    Parameters
    ----------
    kind
        Word for programs, e.g. ``unknown_dataset``.
    message
        What was wrong and what to do.
    detail
        What a program may want to know beyond that.
    """

    def __init__(self, kind: str, message: str, detail: Any = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.detail = kind, message, detail


class BadValueError(QueryError):
    """A value that cannot be looked for."""


class NotFoundError(QueryError):
    """There is no such thing."""


class ConflictError(QueryError):
    """The state of a thing does not allow what was asked for."""
