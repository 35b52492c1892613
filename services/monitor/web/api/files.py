"""Content of stored files."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.monitor.queries.files import find_stored_file
from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.file_responses import BinaryResponse, ContentQuery, serve_content
from services.monitor.web.parameters import RowNumber

__all__ = ["router"]

router = APIRouter(prefix="/files", tags=["files"])


@router.get(
    "/{file_id}/content",
    summary="Bytes of a stored file; ranges are served",
    response_class=BinaryResponse,
)
async def content(
    file_id: Annotated[RowNumber, Path(description="Number of the file")],
    session: Session,
    context: CurrentContext,
    conditions: ContentQuery,
) -> Response:
    """Give the bytes of a file as the store has them: raw files, products, and superseded ones.

    410 where the store has it no more. A dataset lists the numbers of its files.
    """
    file = await find_stored_file(session, file_id)
    await session.close()
    return await serve_content(context.store, file, conditions)
