"""Content of stored files."""

import re
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from services.monitor.context import CurrentContext, Session
from services.monitor.errors import ApiError
from shared.database.models.operations import File
from shared.store import Store

__all__ = ["router"]

router = APIRouter(prefix="/files", tags=["files"])
_CHUNK = 1 << 20
_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")


def _bounds(text: str, size: int) -> tuple[int, int]:
    """First and last byte of a range.

    Raises
    ------
    ApiError
        416 if it is outside the file.
    """
    match = _RANGE.match(text)
    if match is None or match.group(1) == match.group(2) == "":
        raise ApiError(416, "bad_range", f"the range {text!r} is not `bytes=first-last`")
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        raise ApiError(416, "bad_range", f"the range {text!r} is outside the file of {size} bytes")
    return start, end


def _chunks(store: Store, path: str, start: int, end: int) -> Iterator[bytes]:
    with store.open(path) as stream:
        stream.seek(start)
        left = end - start + 1
        while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


@router.get("/{file_id}/content", summary="Bytes of a stored file; ranges are served")
async def content(
    file_id: int,
    session: Session,
    context: CurrentContext,
    range: Annotated[str | None, Header()] = None,  # noqa: A002 - the name of the header
) -> StreamingResponse:
    """Stream a file."""
    file = await session.get(File, file_id)
    if file is None:
        raise ApiError(404, "unknown_file", f"no file {file_id}; a dataset's page lists its files")
    headers = {
        "ETag": f'"{file.sha256}"',
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{file.name}"',
    }
    start, end, status = 0, file.size - 1, 200
    if range is not None:
        start, end = _bounds(range, file.size)
        headers["Content-Range"], status = f"bytes {start}-{end}/{file.size}", 206
    headers["Content-Length"] = str(end - start + 1)
    chunks = _chunks(context.store, f"{file.path}/{file.name}", start, end)
    return StreamingResponse(chunks, status, headers, media_type="application/octet-stream")
