"""Reference files for recipes: uploaded, listed, handed out."""

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.monitor.commands import reference_uploads
from services.monitor.queries import references
from services.monitor.response_models.common import Page
from services.monitor.response_models.references import ReferenceRecord
from services.monitor.web.dependencies import CurrentContext, Recalibrator, Session
from services.monitor.web.file_responses import (
    BINARY,
    BinaryResponse,
    ContentQuery,
    serve_content,
)
from services.monitor.web.pagination import Cursor, Limit, page_of
from services.monitor.web.parameters import RowNumber
from services.monitor.web.protection.audit import name_subject
from services.monitor.web.statuses import may_answer
from shared.logs import get_logger

__all__ = ["router"]

router = APIRouter(prefix="/references", tags=["references"])


@router.post(
    "",
    summary="Upload a reference file for recipes",
    openapi_extra={"requestBody": {"required": True, "content": BINARY}},
)
@may_answer(201, 409)
async def upload_reference(
    request: Request,
    response: Response,
    session: Session,
    context: CurrentContext,
    by: Recalibrator,
    name: Annotated[
        str,
        Query(max_length=100, description="Name that recipes use for it, ending in .fits"),
    ],
    keyword: Annotated[
        str,
        Query(max_length=20, description="Reference keyword that the file is for, e.g. FLATFILE"),
    ],
) -> ReferenceRecord:
    """Upload a reference file: its bytes, plain or gzipped, as the body.

    201 for a new one, 200 where the same is there already, 409 for another file of this name, and
    for what is no file of this kind, is damaged, or is for another CalCOS: the message says which.
    413 for a body beyond ``COSMO_API__UPLOAD_LIMIT_MB``, 409 for a file that is so when unpacked.
    Recipes then name it, e.g. ``{"references": {"FLATFILE": "my_flat.fits"}}``.
    """
    keyword = keyword.upper()
    name_subject(request, f"{name}, {keyword}")
    reference_uploads.check_names(name, keyword)
    with tempfile.TemporaryDirectory(prefix="cosmo-upload-") as folder:
        received = Path(folder) / "received"
        await reference_uploads.receive(request.stream(), received)
        upload, new = await reference_uploads.keep_upload(
            session, context.store, context.settings, received, name, keyword, by
        )
    get_logger().info(
        "reference uploaded", name=upload.name, keyword=upload.keyword, by=by, new=new
    )
    response.status_code = 201 if new else 200
    return upload


@router.get("", summary="Uploaded reference files, newest first")
async def list_references(
    request: Request,
    response: Response,
    session: Session,
    keyword: Annotated[
        str | None, Query(max_length=20, description="Reference keyword, e.g. FLATFILE")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReferenceRecord]:
    """List uploaded reference files, newest first."""
    found = await references.list_references(session, keyword, limit, cursor)
    return page_of(request, response, found)


@router.get(
    "/{reference_id}/content",
    summary="Bytes of an uploaded reference file",
    response_class=BinaryResponse,
)
async def reference_content(
    reference_id: Annotated[RowNumber, Field(description="Number of the uploaded file")],
    session: Session,
    context: CurrentContext,
    conditions: ContentQuery,
) -> Response:
    """Give the bytes of an uploaded file, unpacked; 410 where the store has it no more."""
    file = await references.find_reference(session, reference_id)
    await session.close()
    return await serve_content(context.store, file, conditions)
