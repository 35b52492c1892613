"""Stored files over HTTP, with ranges and conditions; large ones are streamed."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Annotated

from fastapi import Depends, Header, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from services.monitor.web.error_responses import ApiError
from services.monitor.web.statuses import may_answer
from shared.errors import PermanentError
from shared.store import Store, StoredFile

__all__ = [
    "BINARY",
    "BinaryResponse",
    "Conditions",
    "ContentQuery",
    "PngResponse",
    "serve_content",
]

BINARY = {
    "application/octet-stream": {
        "schema": {"type": "string", "contentMediaType": "application/octet-stream"}
    }
}
"""Bytes in the OpenAPI schema."""

_CHUNK = 1 << 21
_LONGEST_CONDITION = 1000
"""Characters of a header that asks for a part of a file, or for a newer version."""
_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$", re.ASCII)


def _bounds(text: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a range.

    None for one that is to be ignored (RFC 9110, 14.2: several, or malformed).

    Raises
    ------
    ApiError
        416 if it is outside the file.
    """
    match = _RANGE.match(text.strip())
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if first and last and int(first) > int(last):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        message = f"the range {text!r} is outside the file of {size} bytes"
        raise ApiError(416, "bad_range", message, headers={"Content-Range": f"bytes */{size}"})
    return start, end


def _open(store: Store, path: str, start: int) -> tuple[ExitStack, IO[bytes]]:
    """Open before the status is sent, so that a file that is gone is an error and not a broken
    answer.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(store.open(path))
        stream.seek(start)
        return stack.pop_all(), stream


def _read(store: Store, path: str, start: int, length: int) -> bytes:
    """Read a part that is small.

    In one thread, since each change between two waits for those that compute.
    """
    with store.open(path) as stream:
        stream.seek(start)
        return stream.read(length)


def _chunks(stack: ExitStack, stream: IO[bytes], left: int) -> Iterator[bytes]:
    with stack:
        while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


def _matches(condition: str, etag: str) -> bool:
    return condition.strip() == "*" or etag in (
        part.strip().removeprefix("W/") for part in condition.split(",")
    )


class BinaryResponse(Response):
    """Bytes of a file."""

    media_type = "application/octet-stream"


class PngResponse(Response):
    """Picture."""

    media_type = "image/png"


@may_answer(206, 304, 410, 416)
class Conditions:
    """Headers by which a client asks for a part of a file, or only for one that it does not
    have.
    """

    def __init__(
        self,
        range: Annotated[  # noqa: A002 - the name of the header
            str | None,
            Header(
                max_length=_LONGEST_CONDITION,
                description="Bytes that are asked for, e.g. bytes=0-1023; several ranges, and "
                "what is no range, are ignored",
            ),
        ] = None,
        if_range: Annotated[
            str | None,
            Header(
                max_length=_LONGEST_CONDITION,
                description="ETag of the file that the range is of; the whole file is sent where "
                "it is another one",
            ),
        ] = None,
        if_none_match: Annotated[
            str | None,
            Header(
                max_length=_LONGEST_CONDITION,
                description="ETags of the versions that the client has",
            ),
        ] = None,
    ) -> None:
        self.range, self.if_range, self.if_none_match = range, if_range, if_none_match


ContentQuery = Annotated[Conditions, Depends()]


async def serve_content(
    store: Store, file: StoredFile, conditions: Conditions, whole: bytes | None = None
) -> Response:
    """Stream a stored file.

    Parameters
    ----------
    store
        Where it is.
    file
        The file.
    conditions
        What the client asks for.
    whole
        All of it, where that is in memory.

    Raises
    ------
    ApiError
        416 for a range outside the file, 410 if the store has it no more.
    """
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{file.name}"',
    }
    if conditions.if_none_match is not None and _matches(conditions.if_none_match, etag):
        return Response(status_code=304, headers=headers)
    bounds = None
    if conditions.range is not None and conditions.if_range in (None, etag):
        bounds = _bounds(conditions.range, file.size)
    start, end = bounds or (0, file.size - 1)
    if bounds is not None:
        headers["Content-Range"] = f"bytes {start}-{end}/{file.size}"
    length, status = end - start + 1, 200 if bounds is None else 206
    headers["Content-Length"] = str(length)
    if whole is not None:
        return Response(whole[start : end + 1], status, headers, "application/octet-stream")
    path = f"{file.path}/{file.name}"
    try:
        if length <= _CHUNK:
            content = await run_in_threadpool(_read, store, path, start, length)
            return Response(content, status, headers, "application/octet-stream")
        stack, stream = await run_in_threadpool(_open, store, path, start)
    except PermanentError as error:
        raise ApiError(410, "file_gone", str(error)) from error
    return StreamingResponse(
        _chunks(stack, stream, length), status, headers, "application/octet-stream"
    )
