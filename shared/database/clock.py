"""Times of the database's clock, which may be put back: what was written before then lies in the
future.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_

__all__ = ["is_ago", "is_due"]


def is_due(moment: Any, longest: timedelta | ColumnElement[timedelta]) -> ColumnElement[bool]:
    """Return the condition that a moment has come.

    Parameters
    ----------
    moment
        Column.
    longest
        How far ahead it was at most when it was written: one that is further was written before the
        clock went back.
    """
    return or_(moment <= func.now(), moment > func.now() + longest)


def is_ago(moment: Any, age: timedelta) -> ColumnElement[bool]:
    """Return the condition that a past moment is that long ago, or that the clock went back by as
    much since.
    """
    return or_(moment < func.now() - age, moment > func.now() + age)
