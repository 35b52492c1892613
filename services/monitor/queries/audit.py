"""Entries of the audit."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.pages import Records, decode_cursor, encode_cursor, split
from services.monitor.response_models.audit import AuditRecord
from shared.database.models.audit import AuditEntry

__all__ = ["list_audit"]


async def list_audit(
    session: AsyncSession,
    token: str | None,
    since: datetime | None,
    limit: int,
    cursor: str | None,
) -> Records[AuditRecord]:
    """List entries, newest first.

    Parameters
    ----------
    session
        Session to read in.
    token
        Only requests with the token of this name.
    since
        Only requests at or after this time.
    limit
        Entries of a page.
    cursor
        Cursor of the page; None for the first one.
    """
    query = select(AuditEntry).order_by(AuditEntry.id.desc())
    if token is not None:
        query = query.where(AuditEntry.token == token)
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(AuditEntry.id < after[0])
    found, more = split((await session.scalars(query.limit(limit + 1))).all(), limit)
    return Records(
        [AuditRecord.model_validate(entry) for entry in found],
        encode_cursor((found[-1].id,)) if more else None,
    )
