"""Return the query for the rows of a science table that a monitor may use."""

from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from services.monitor.framework.declaration import RowQuery
from shared.database.models.operations import File
from shared.database.models.science import ScienceRow, believed, moments_of

__all__ = ["shown"]


def shown(
    model: type[ScienceRow], *columns: ColumnElement[Any] | InstrumentedAttribute[Any]
) -> RowQuery:
    """Return the query for columns of the rows of a table that readers see.

    These are rows of files that are shown, not of earlier generations; the preferred one where
    several files of an exposure have one (`PreferredRow`); and only rows whose times are times of
    COS. Joins, conditions, groups and an order are added as to any query; it reads ``files``, too.

    Parameters
    ----------
    model
        Table.
    columns
        Its columns, or expressions with a label. Whole numbers are read as floats: no cast is
        needed.
    """
    query = select(*columns).select_from(model).join(File, File.id == model.file_id)
    query = query.where(File.shown)
    if model.preferred_by is not None:
        query = query.where(model.__table__.c.preferred)
    return query.where(believed(model)) if moments_of(model) else query
