"""What replies of an HTTP server say of a file.

Source: RFC 9110 (HTTP semantics), sections 8.8 (validators), 10.2.3 (Retry-After), 13.1.5
(If-Range), 14.4 (Content-Range); RFC 3230 (Digest).
"""

import base64
import binascii
import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpx

from services.archive.downloads.errors import InterruptedDownloadError
from shared.errors import PermanentError

__all__ = [
    "EXPIRY_REMEDY",
    "body_size",
    "check_rest",
    "is_expiry",
    "md5_of",
    "refuse_failure",
    "refuse_other_content",
    "retry_after",
    "validator_of",
    "words_of",
]

EXPIRY_REMEDY: Final = (
    "the token has expired: make another one (MAST's at auth.mast.stsci.edu), give it in "
    "COSMO_ARCHIVE__MAST_TOKEN and start the archive service again"
)

_STRONG_AFTER_SECONDS = 1.0
"""A time of the last change that is this much older than the reply identifies a content."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_DIGEST = re.compile(r"(?:^|,)\s*md5=([^,]+)", re.IGNORECASE)
_HEX_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_MD5_BYTES = 16
_EXPIRED = re.compile(r"\btoken\b.*\bexpired\b|\bexpired\b.*\btoken\b", re.IGNORECASE)
_NEED_RIGHTS = (
    "these data need rights; give the source's address a user and password that have them, or ask "
    "its owner"
)
_TAG = re.compile(r"<[^>]*>")
_SAID = 300
"""Characters of what a server says in a body that are shown."""

_PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Statuses below 500 that another request may not meet."""


def refuse_failure(reply: httpx.Response, url: str) -> None:
    """Raise where a reply is not one with a file.

    Raises
    ------
    PermanentError
        If asking again would give the same.
    InterruptedDownloadError
        If another request may be answered.
    """
    status = reply.status_code
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        said = words_of(next(reply.iter_text(_SAID), ""))
        remedy = EXPIRY_REMEDY if is_expiry(status, said) else _NEED_RIGHTS
        # What it said is not shown: it may repeat the token.
        raise PermanentError(f"{url} is refused ({status}): {remedy}, then requeue the job")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise PermanentError(
            f"{url} is listed by its source and not there ({status}); tell the owner of the "
            "source, and requeue the job when it is"
        )
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.is_success:
        raise InterruptedDownloadError(
            f"the server answers {status}",
            retry_after(reply.headers),
            of_file=status == HTTPStatus.INTERNAL_SERVER_ERROR,
        )
    raise PermanentError(
        f"{url} is answered with {status} {reply.reason_phrase}; check the address of the source"
    )


def refuse_other_content(reply: httpx.Response, name: str) -> None:
    """Raise where a reply has something else than the bytes of the file.

    Raises
    ------
    InterruptedDownloadError
        If it is a page, such as one of a login or of maintenance, or a message, such as MAST's
        that it is still executing what was asked for.
    PermanentError
        If it is packed.
    """
    kind = reply.headers.get("Content-Type", "").lower()
    if kind.startswith("text/html"):
        raise InterruptedDownloadError("the server sends a page (text/html) in place of the file")
    if kind.startswith("application/json"):
        said = words_of(next(reply.iter_text(_SAID), ""))
        raise InterruptedDownloadError(f"the server sends JSON in place of the file: {said}")
    packed = reply.headers.get("Content-Encoding", "identity").strip().lower()
    # Some servers say so of a file that lies there packed and is named so.
    lies_packed = packed in ("gzip", "x-gzip") and name.lower().endswith(".gz")
    if packed not in ("", "identity") and not lies_packed:
        raise PermanentError(
            f"the server packs {name} ({packed}), though asked not to; let it send the file as it "
            "is"
        )


def words_of(body: str) -> str:
    """Return what a server says in the beginning of a body, a text or a page, in one line."""
    return " ".join(_TAG.sub(" ", body).split())[:_SAID]


def is_expiry(status: int, said: str) -> bool:
    """Return whether a server refuses a request because its token has expired."""
    return status == HTTPStatus.UNAUTHORIZED and _EXPIRED.search(said) is not None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a server asks to wait, by its header ``Retry-After``."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    date = _date(text)
    return None if date is None else max(0.0, date - time.time())


def _date(text: str) -> float | None:
    """Return the Unix time of a date as HTTP writes it, second."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def validator_of(reply: httpx.Response) -> str | None:
    """Return what identifies the content of a reply, byte by byte, in ``If-Range``.

    A strong ``ETag``, or a ``Last-Modified`` that is older than the reply.
    """
    etag: str = reply.headers.get("ETag", "").strip()
    if etag.startswith('"') and etag.endswith('"') and len(etag) > 1:
        return etag
    modified: str = reply.headers.get("Last-Modified", "").strip()
    changed, sent = _date(modified), _date(reply.headers.get("Date", ""))
    if changed is None or sent is None or sent - changed < _STRONG_AFTER_SECONDS:
        return None
    return modified


def body_size(reply: httpx.Response) -> int | None:
    """Return the size of a whole file that the server announces, bytes."""
    text = reply.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def check_rest(reply: httpx.Response, start: int, validator: str, size: int | None) -> None:
    """Refuse a reply with a range that does not continue what is there.

    Parameters
    ----------
    reply
        Reply with status 206.
    start
        First byte that was asked for.
    validator
        What identifies the content that is there.
    size
        Size of the whole file as announced before, bytes.

    Raises
    ------
    InterruptedDownloadError
        If its bytes are others than those asked for, or of another content.
    """
    said = reply.headers.get("Content-Range", "")
    found = _CONTENT_RANGE.fullmatch(said.strip())
    if found is None or int(found[1]) != start:
        raise InterruptedDownloadError(
            f"the server sends {said or 'an unnamed range'} in place of bytes {start}-"
        )
    total = None if found[3] == "*" else int(found[3])
    if total is not None and (int(found[2]) != total - 1 or size not in (None, total)):
        raise InterruptedDownloadError(f"the server sends {said}, of a file of {size} bytes")
    if validator.startswith('"') and reply.headers.get("ETag", validator).strip() != validator:
        raise InterruptedDownloadError("the server sends the rest of another version")


def md5_of(reply: httpx.Response) -> str | None:
    """Return the MD5 of the whole file that a server declares, hexadecimal.

    ``Digest`` and ``Content-MD5`` (base64 of the 16 bytes, of some servers of the hexadecimal
    text), or the ``ETag`` of an S3 server, which is one unless the object was uploaded in parts or
    is encrypted.
    """
    named = _DIGEST.search(reply.headers.get("Digest", ""))
    whole = reply.status_code == HTTPStatus.OK
    declared: str = named[1] if named else reply.headers.get("Content-MD5", "") if whole else ""
    if declared:
        return _hexadecimal(declared.strip())
    encrypted = any(
        name.startswith("x-amz-server-side-encryption") and value != "AES256"
        for name, value in reply.headers.items()
    )
    etag: str = reply.headers.get("ETag", "").strip().strip('"')
    if "x-amz-request-id" in reply.headers and not encrypted and _HEX_MD5.fullmatch(etag):
        return etag.lower()
    return None


def _hexadecimal(text: str) -> str | None:
    if _HEX_MD5.fullmatch(text):
        return text.lower()
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(content) == _MD5_BYTES:
        return content.hex()
    as_text = content.decode("latin-1")
    return as_text.lower() if _HEX_MD5.fullmatch(as_text) else None
