"""Reference files for recipes: uploaded, listed, handed out."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select

from services.monitor.queries.pages import decode_cursor, split
from services.monitor.queries.references import check_names, describe_upload, keep_upload, receive
from services.monitor.web.dependencies import CurrentContext, Recalibrator, Session
from services.monitor.web.error_responses import ApiError
from services.monitor.web.file_responses import ContentQuery, serve_row
from services.monitor.web.pagination import page
from services.monitor.web.protection.audit import name_subject
from shared.database.models.references import UploadedReference
from shared.logs import get_logger

__all__ = ["router"]

router = APIRouter(prefix="/references", tags=["references"])


@router.post("", summary="Upload a reference file for recipes")
async def upload_reference(
    request: Request,
    response: Response,
    session: Session,
    context: CurrentContext,
    by: Recalibrator,
    name: Annotated[str, Query(description="Name that recipes use for it, ending in .fits")],
    keyword: Annotated[
        str, Query(description="Reference keyword that the file is for, e.g. FLATFILE")
    ],
) -> dict[str, Any]:
    """Take the bytes of the body, plain or gzipped: 201 for a new one, 200 where the same is there
    already.
    """
    keyword = keyword.upper()
    name_subject(request, f"{name}, {keyword}")
    check_names(name, keyword)
    with tempfile.TemporaryDirectory(prefix="cosmo-upload-") as folder:
        received = Path(folder) / "received"
        await receive(request.stream(), received)
        upload, new = await keep_upload(
            session, context.store, context.settings, received, name, keyword, by
        )
    get_logger().info(
        "reference uploaded", name=upload.name, keyword=upload.keyword, by=by, new=new
    )
    response.status_code = 201 if new else 200
    return describe_upload(upload)


@router.get("", summary="Uploaded reference files, newest first")
async def list_references(
    request: Request,
    response: Response,
    session: Session,
    keyword: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Page of uploaded files, by keyword."""
    query = select(UploadedReference).order_by(UploadedReference.id.desc())
    if keyword is not None:
        query = query.where(UploadedReference.keyword == keyword.upper())
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(UploadedReference.id < after[0])
    rows, more = split((await session.execute(query.limit(limit + 1))).scalars().all(), limit)
    return page(
        request, response, [describe_upload(row) for row in rows], (rows[-1].id,) if more else None
    )


@router.get(
    "/{reference_id}/content",
    summary="Bytes of an uploaded reference file",
    response_class=Response,
)
async def reference_content(
    reference_id: int, session: Session, context: CurrentContext, conditions: ContentQuery
) -> Response:
    """Stream one."""
    upload = await session.get(UploadedReference, reference_id)
    if upload is None:
        raise ApiError(
            404,
            "unknown_reference",
            f"no reference {reference_id}; /api/v1/references lists them",
        )
    return await serve_row(session, context.store, upload, conditions)
