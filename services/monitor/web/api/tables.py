"""Science tables: any column can be asked for, filtered on and sorted by."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.monitor.tables.query import ListingQuery, columns_of, select_rows, serve
from services.monitor.web.dependencies import Session
from services.monitor.web.error_responses import ApiError
from shared.database.base import Base
from shared.database.models.operations import File
from shared.database.models.science import DERIVED_TABLES, SCIENCE_TABLES

__all__ = ["router"]

router = APIRouter(prefix="/tables", tags=["tables"])
_TABLES: dict[str, type[Base]] = {"files": File, **SCIENCE_TABLES, **DERIVED_TABLES}


def _model(name: str) -> type[Base]:
    if name not in _TABLES:
        raise ApiError(404, "unknown_table", f"no table {name!r}; there are {', '.join(_TABLES)}")
    return _TABLES[name]


@router.get("", summary="Science tables with their columns, units and types")
async def list_tables() -> dict[str, Any]:
    """Describe every table."""
    return {
        "items": [
            {
                "name": name,
                "description": (model.__doc__ or "").splitlines()[0],
                "columns": [column.describe() for column in columns_of(model)],
            }
            for name, model in _TABLES.items()
        ]
    }


@router.get("/{name}", summary="Rows of a science table")
async def show_table(
    name: str,
    request: Request,
    response: Response,
    session: Session,
    listing: ListingQuery,
    generation: Annotated[
        str, Query(description="current, or all with superseded rows")
    ] = "current",
) -> Any:
    """Page of rows as JSON, or up to 100,000 rows as a file.

    Filter with ``?column__operator=value``.
    """
    model = _model(name)
    table = model.__table__
    query = select_rows(model, listing)
    if generation == "current":
        if "file_id" in table.c:
            query = query.join(File, File.id == table.c.file_id).where(File.shown)
        if "preferred" in table.c:
            query = query.where(table.c.preferred)
        if "current" in table.c:
            query = query.where(table.c.current)
    elif generation != "all":
        raise ApiError(400, "bad_value", f"generation is `current` or `all`, not {generation!r}")
    return await serve(session, model, query, listing, request, response, reserved=["generation"])
