"""The audit."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from services.monitor.queries.pages import decode_cursor
from services.monitor.web.dependencies import Administrator, Session
from services.monitor.web.pagination import page
from services.monitor.web.protection.audit import list_entries

__all__ = ["router"]

router = APIRouter(tags=["audit"])


@router.get("/audit", summary="Audit of changes: requests with a token, newest first")
async def list_audit(
    request: Request,
    response: Response,
    session: Session,
    _name: Administrator,
    token: Annotated[str | None, Query(description="Name of a token")] = None,
    since: Annotated[
        AwareDatetime | None, Query(description="At or after this time (ISO 8601, with zone)")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Page of entries."""
    after = decode_cursor(cursor, int)
    items, more = await list_entries(session, token, since, after[0] if after else None, limit)
    return page(request, response, items, (items[-1]["id"],) if more else None)
