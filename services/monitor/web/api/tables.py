"""Science tables: any column can be asked for, filtered on and sorted by."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.monitor.queries.tables import GENERATIONS, TABLES, find_table, select_generation
from services.monitor.response_models.tables import (
    ColumnDescription,
    TableDescription,
    TableList,
    TablePage,
)
from services.monitor.tables.filters import columns_of
from services.monitor.web.dependencies import Session
from services.monitor.web.table_responses import TableRows, file_content, serve_rows

__all__ = ["router"]

router = APIRouter(prefix="/tables", tags=["tables"])


@router.get("", summary="Science tables with their columns, units and types")
async def list_tables() -> TableList:
    """Describe every table."""
    return TableList(
        items=[
            TableDescription(
                name=name,
                description=(model.__doc__ or "").splitlines()[0],
                columns=[
                    ColumnDescription.model_validate(column.describe())
                    for column in columns_of(model)
                ],
            )
            for name, model in TABLES.items()
        ]
    )


@router.get(
    "/{name}",
    summary="Rows of a science table",
    responses={200: {"model": TablePage, "content": file_content}},
)
async def show_table(
    name: str,
    request: Request,
    session: Session,
    rows: TableRows,
    generation: Annotated[
        str,
        Query(
            description="current, or all with superseded rows",
            json_schema_extra={"enum": list(GENERATIONS)},
        ),
    ] = "current",
) -> Response:
    """Page of rows as JSON, or up to 100,000 rows as a file.

    Filter with ``?column__operator=value``.
    """
    model = find_table(name)
    query = select_generation(model, rows.wanted, generation)
    return await serve_rows(request, session, model, query, rows.wanted)
