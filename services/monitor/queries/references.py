"""Reference files that users uploaded."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.errors import NotFoundError
from services.monitor.queries.pages import Records, decode_cursor, encode_cursor, split
from services.monitor.response_models.references import ReferenceRecord
from shared.database.models.references import UploadedReference
from shared.store import StoredFile

__all__ = ["find_reference", "list_references"]


async def list_references(
    session: AsyncSession, keyword: str | None, limit: int, cursor: str | None
) -> Records[ReferenceRecord]:
    """List a page of uploaded files, for a keyword or for all, newest first."""
    query = select(UploadedReference).order_by(UploadedReference.id.desc())
    if keyword is not None:
        query = query.where(UploadedReference.keyword == keyword.upper())
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(UploadedReference.id < after[0])
    rows, more = split((await session.execute(query.limit(limit + 1))).scalars().all(), limit)
    return Records(
        [ReferenceRecord.model_validate(row) for row in rows],
        encode_cursor((rows[-1].id,)) if more else None,
    )


async def find_reference(session: AsyncSession, reference_id: int) -> StoredFile:
    """Find an uploaded file in the store.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    row = await session.get(UploadedReference, reference_id)
    if row is None:
        raise NotFoundError(
            "unknown_reference",
            f"no reference {reference_id}; /api/v1/references lists them",
        )
    return StoredFile(row.path, row.name, row.size, row.sha256)
