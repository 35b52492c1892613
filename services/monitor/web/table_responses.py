"""Tables over HTTP: how rows are asked for, and pages and files of them as responses."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import StreamingResponse
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.pages import decode_cursor
from services.monitor.tables.columns import MEDIA_TYPES, Column, Values, choose_format
from services.monitor.tables.errors import TableError
from services.monitor.tables.query import TableRequest, read_page, write_file
from services.monitor.tables.writers import TableFile, UnnamedFile, write_table
from services.monitor.web.json_response import FiniteJSONResponse
from services.monitor.web.pagination import Cursor, link_next
from services.monitor.web.parameters import LONGEST_NAME
from services.monitor.web.protection.declarations import declared_parameters
from shared.database.base import Base

__all__ = [
    "Accept",
    "FileResponse",
    "Format",
    "TableRows",
    "file_content",
    "render",
    "serve_rows",
]

_DEFAULT_JSON, _MAX_JSON, _MAX_FILE = 100, 1000, 100_000
_CHUNK = 1 << 20

Format = Annotated[
    str | None,
    Query(
        description="Format; default: what the header Accept prefers, else json",
        json_schema_extra={"enum": [*MEDIA_TYPES, None]},
    ),
]
"""Format of a table that is asked for by name."""

Accept = Annotated[str, Header(include_in_schema=False)]
"""Kinds of content that the client takes; OpenAPI has the kinds of the answer for it."""

file_content: dict[str, Any] = {
    media_type: {"schema": {"type": "string", "contentMediaType": media_type}}
    for name, media_type in MEDIA_TYPES.items()
    if name != "json"
}
"""Content of responses that are files."""


class TableQuery:
    """How rows are asked for: order, size, page and format; all other parameters are filters.

    Attributes
    ----------
    takes_filters
        That there are others.
    """

    takes_filters = True

    def __init__(
        self,
        request: Request,
        sort: Annotated[
            str,
            Query(
                max_length=LONGEST_NAME,
                description="Column; a minus sign before it reverses the order",
            ),
        ] = "id",
        limit: Annotated[
            int | None,
            Query(
                ge=1,
                le=_MAX_FILE,
                description="Rows; default 100 as JSON (at most 1000), else 100,000",
            ),
        ] = None,
        cursor: Cursor = None,
        format: Format = None,  # noqa: A002 - the name of the query parameter
        accept: Accept = "",
    ) -> None:
        chosen = choose_format(format, accept)
        if chosen == "json" and limit is not None and limit > _MAX_JSON:
            message = f"a JSON page has at most {_MAX_JSON} rows; follow its Link header"
            raise TableError("bad_value", message)
        known = declared_parameters(request)
        self.wanted = TableRequest(
            format=chosen,
            sort=sort,
            limit=limit or (_DEFAULT_JSON if chosen == "json" else _MAX_FILE),
            after=decode_cursor(cursor, _as_it_is, int),
            filters=[item for item in request.query_params.multi_items() if item[0] not in known],
        )


def _as_it_is(value: Any) -> Any:
    """Return a value of a cursor unchanged; the table checks it."""
    return value


TableRows = Annotated[TableQuery, Depends()]


class FileResponse(StreamingResponse):
    """Response with a file on disk that has no name.

    Parameters
    ----------
    file
        The file.
    headers
        Headers of the response.
    media_type
        What it is; None where a header says it.
    """

    def __init__(
        self, file: UnnamedFile, headers: Mapping[str, str], media_type: str | None = None
    ) -> None:
        self.file = file
        super().__init__(file.chunks(), headers=headers, media_type=media_type)


def file_response(file: TableFile) -> Response:
    """Answer with a file: a small one as a whole, a large one as a stream."""
    size = len(file.content)
    headers = {
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Content-Length": str(size),
    }
    if size > _CHUNK:
        return FileResponse(file.content, headers, file.media_type)
    content = b"".join(file.content.chunks())
    return Response(content, headers=headers, media_type=file.media_type)


def render(
    name: str, columns: Sequence[Column], values: Mapping[str, Values], chosen: str
) -> Response:
    """Answer with a table whose values are all there, as a file.

    Parameters
    ----------
    name
        Name of the table and, with an ending, of the file.
    columns
        Its columns.
    values
        Values by column, each 1-D and of the same length.
    chosen
        Format of the file.
    """
    return file_response(write_table(name, columns, values, chosen))


async def serve_rows(
    request: Request,
    session: AsyncSession,
    model: type[Base],
    query: Select[Any],
    wanted: TableRequest,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    """Answer with rows of a table: a page as JSON, or up to 100,000 of them as a file.

    Parameters
    ----------
    request
        The request, whose address that of the next page resembles.
    session
        Session of the request.
    model, query, wanted
        Table, its columns and conditions, and how its rows are wanted (`read_page`).
    extra
        What a page has beside the rows.

    Raises
    ------
    TableError
        For an unknown column, operator or value.
    """
    if wanted.format == "json":
        page = await read_page(session, model, query, wanted)
        columns = [column.describe() for column in page.columns]
        body = {"columns": columns, "items": page.rows, **(extra or {})}
        response: Response = FiniteJSONResponse(jsonable_encoder(body))
        last = page.last
    else:
        file, last = await write_file(session, model, query, wanted)
        response = file_response(file)
    if last is not None:
        link_next(request, response, last)
    return response
