"""The audit."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.monitor.queries.audit import list_audit
from services.monitor.response_models.audit import AuditRecord
from services.monitor.response_models.common import Page
from services.monitor.web.dependencies import Administrator, Session
from services.monitor.web.pagination import Cursor, Limit, page_of
from services.monitor.web.parameters import Name, Since

__all__ = ["router"]

router = APIRouter(tags=["audit"])


@router.get("/audit", summary="Audit of changes: requests with a token, newest first")
async def show_audit(
    request: Request,
    response: Response,
    session: Session,
    _name: Administrator,
    token: Annotated[Name | None, Query(description="Name of a token")] = None,
    since: Annotated[
        Since, Query(description="At or after this time (ISO 8601, with zone)")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AuditRecord]:
    """List requests that would change something and had a known token, newest first.

    Refused ones are among them: ``status`` is that of the answer. Entries can neither be changed
    nor deleted.
    """
    return page_of(request, response, await list_audit(session, token, since, limit, cursor))
