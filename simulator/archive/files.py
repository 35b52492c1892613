"""Replies with the bytes of files: ranges, conditions, and what rights allow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from simulator.archive.catalogue import Catalogue, HeldFile

__all__ = ["FITS", "PRODUCT", "TOKEN_EXPIRED", "file_reply", "refusal", "token_of"]

FITS: Final = "application/fits"
PRODUCT: Final = "mast:HST/product/"
"""Start of the URI of every file."""

TOKEN_EXPIRED: Final = {"detail": "the token has expired"}
"""Body of a reply, with 401, to a token that was valid once."""


class _LargeChunks(FileResponse):
    chunk_size = 1 << 20


def file_reply(path: str, name: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a file, or with 404 where it has just gone.

    Parameters
    ----------
    path, name
        Where it is, and the name that it is handed out under.
    headers
        Further headers; an ETag takes the place of that of size and time.
    """
    try:
        status = Path(path).stat()
    except OSError:
        return PlainTextResponse(f"{name} was not found", 404)
    kind = FITS if name.endswith((".fits", ".fits.gz")) else "application/octet-stream"
    return _LargeChunks(path, headers=headers, media_type=kind, filename=name, stat_result=status)


def refusal(catalogue: Catalogue, request: Request, file: HeldFile) -> Response | None:
    """Refuse a file that is neither public nor opened by the token of a request, if it is not.

    MAST takes tokens as the cookie ``mast_token`` and as ``Authorization: token ...``.
    """
    value, description = token_of(request), catalogue.description
    token = description.token(value)
    if file.public or (token is not None and token.opens(file.proposal)):
        return None
    if token is None and any(value == former.value for former in description.tokens):
        return JSONResponse(TOKEN_EXPIRED, 401)
    return JSONResponse({"detail": f"{file.name} is exclusive"}, 401)


def token_of(request: Request) -> str | None:
    """Return the token that a request has."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "token" else request.cookies.get("mast_token")
