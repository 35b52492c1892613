"""Content of stored files."""

from fastapi import APIRouter, Response

from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.error_responses import ApiError
from services.monitor.web.file_responses import ContentQuery, serve_row
from shared.database.models.operations import File

__all__ = ["router"]

router = APIRouter(prefix="/files", tags=["files"])


@router.get(
    "/{file_id}/content",
    summary="Bytes of a stored file; ranges are served",
    response_class=Response,
)
async def content(
    file_id: int, session: Session, context: CurrentContext, conditions: ContentQuery
) -> Response:
    """Stream a file."""
    file = await session.get(File, file_id)
    if file is None:
        raise ApiError(404, "unknown_file", f"no file {file_id}; a dataset's page lists its files")
    return await serve_row(session, context.store, file, conditions)
