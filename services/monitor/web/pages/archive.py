"""Page of the remote archives: how they are, what is wanted, what waits, what is new."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.monitor.queries.archive import list_newest_entries, read_archive_status
from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.pages.rendering import templates

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_LISTED = 20


@router.get("/archive", response_class=HTMLResponse)
async def archive_page(request: Request, session: Session, context: CurrentContext) -> Response:
    """Show the catalogues, what is wanted of them and what is new there."""
    content = {
        "archive": await read_archive_status(session, context.store.free_bytes),
        "newest": await list_newest_entries(session, _LISTED),
    }
    return templates.TemplateResponse(request, "archive.html", content)
