"""Science tables: any column can be asked for, filtered on and sorted by."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from services.monitor.queries.tables import GENERATIONS, TABLES, find_table, select_generation
from services.monitor.response_models.tables import (
    ColumnDescription,
    TableDescription,
    TableList,
    TablePage,
)
from services.monitor.tables.filters import columns_of
from services.monitor.web.dependencies import Session
from services.monitor.web.parameters import Name
from services.monitor.web.table_responses import TableRows, file_content, serve_rows

__all__ = ["router"]

router = APIRouter(prefix="/tables", tags=["tables"])

_TableName = Annotated[
    Name, Path(description="Name of the table", json_schema_extra={"enum": list(TABLES)})
]


@router.get("", summary="Science tables with their columns, units and types")
async def list_tables() -> TableList:
    """Describe every table, with the name, type, unit and meaning of each column."""
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
    name: _TableName,
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
    """Show rows of a table: a page of JSON, or up to 100,000 rows as a file.

    Other parameters are filters ``column__operator=value``: ``eq`` (also without an operator),
    ``ne``, ``lt``, ``lte``, ``gt``, ``gte``, ``in`` (values with commas between them), ``like``
    (``%`` for any text) and ``isnull`` (``true`` or ``false``). E.g.
    ``/tables/headers?exptime__gt=100&segment__in=FUVA,FUVB&sort=-expstart&format=fits``. A file has
    fewer rows where its texts would take more than 64 MB; its ``Link`` header leads to what
    follows. 400 for an unknown column, operator or value.
    """
    model = find_table(name)
    query = select_generation(model, rows.wanted, generation)
    return await serve_rows(request, session, model, query, rows.wanted)
