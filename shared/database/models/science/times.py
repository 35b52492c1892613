"""Condition for plausible rows: those whose times are times of COS (`shared.cos.times`)."""

from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Double, and_, cast, extract, func, literal, or_
from sqlalchemy.orm import InstrumentedAttribute

from shared.cos.dates import decimal_year
from shared.cos.times import FIRST_MJD, UNIX_MJD
from shared.database.base import Base

__all__ = ["believed", "believed_time", "moments_of", "within_mission"]

_PLANNED_DAYS = 366.0
"""Schedules are planned for weeks ahead; a year is more than any."""

_YEAR_DAYS = 365.25

_FIRST = {"d": FIRST_MJD, "yr": float(decimal_year(np.array(FIRST_MJD)))}
"""Time from which times are believed, by the unit of a column."""


def moments_of(model: type[Base]) -> list[ColumnElement[Any]]:
    """Return the columns of a table that must be times of COS."""
    return [column for column in model.__table__.columns if "moment" in column.info]


def within_mission(
    column: ColumnElement[Any] | InstrumentedAttribute[Any], *, unit: str = "d", ahead: float = 1.0
) -> ColumnElement[bool]:
    """Return the condition that a time lies between the installation of COS and so many days from
    now.

    NaN does not.

    Parameters
    ----------
    column
        The time; null makes the condition null.
    unit
        ``d`` for MJD, ``yr`` for decimal years.
    ahead
        Days.
    """
    days = cast(extract("epoch", func.now()), Double) / literal(86400.0, Double) + literal(
        ahead, Double
    )
    last = (
        days + literal(UNIX_MJD, Double)
        if unit == "d"
        else days / literal(_YEAR_DAYS, Double) + 1970.0
    )
    return column.between(literal(_FIRST[unit], Double), last)


def believed(model: type[Base]) -> ColumnElement[bool]:
    """Return the condition that every time of a row is one of COS, or unknown: what is read for
    statistics needs it.

    Parameters
    ----------
    model
        Table with a column made by `shared.database.models.science.base.moment`.
    """
    return and_(*(or_(column.is_(None), believed_time(column)) for column in moments_of(model)))


def believed_time(column: Any) -> ColumnElement[bool]:
    """Return the condition that a time is one of COS; null where it is unknown.

    Parameters
    ----------
    column
        One of `moments_of` its table.
    """
    ahead = _PLANNED_DAYS if column.info["moment"] == "planned" else 1.0
    return within_mission(column, unit=column.info["unit"], ahead=ahead)
