"""Error of a table that cannot be given as it was asked for."""

from typing import Any

__all__ = ["TableError"]


class TableError(Exception):
    """A column, operator, value, format or cursor that a table does not have.

    Parameters
    ----------
    kind
        Word for programs, e.g. ``unknown_column``.
    message
        What was wrong and what to do.
    detail
        What a program may want to know beyond that.
    """

    def __init__(self, kind: str, message: str, detail: Any = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.detail = kind, message, detail
