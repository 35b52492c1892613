"""Session of requests to an archive's catalogue: patient, polite, and never endless."""

import time
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from services.archive.downloads.replies import (
    EXPIRY_REMEDY,
    is_expiry,
    retry_after,
    words_of,
)
from services.archive.politeness import (
    LONGEST_RETRY_AFTER_SECONDS,
    USER_AGENT,
    Pace,
    pause_after,
)
from shared.errors import TransientError
from shared.logs import get_logger
from shared.settings import ArchiveSettings

__all__ = ["ArchiveSession", "refusal"]

_MAX_REDIRECTS: Final = 5
_LARGEST_REPLY: Final = 128 << 20
"""Bytes; a page of entries has some 10 MB."""

_LONGEST_REPLY_SECONDS: Final = 600.0
_CHUNK: Final = 1 << 13
_PASSING: Final = (408, 425, 429)
"""Statuses below 500 that another request may not meet."""

_EXECUTING: Final = "EXECUTING"
"""Status in the body of a reply of MAST's services to a query that still runs."""

_LONGEST_STATUS: Final = 1000
"""Bytes of a body that says no more than its status."""


class ArchiveSession(requests.Session):
    """Session that client libraries of an archive are given.

    It waits before each request until the rate allows it, gives up what does not come, and asks
    again where that may help. Replies are read whole.

    Parameters
    ----------
    archive
        What messages call the archive.
    settings
        Time-outs, attempts, and the rate of requests.
    """

    def __init__(self, archive: str, settings: ArchiveSettings) -> None:
        super().__init__()
        self.headers["User-Agent"] = USER_AGENT
        self.max_redirects = _MAX_REDIRECTS
        self._archive = archive
        self._settings = settings
        self._pace = Pace(settings.metadata_rate)

    def request(self, method: str, url: str, *args: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send a request as `requests.Session.request` does.

        Raises
        ------
        TransientError
            If no answer came after all attempts, or one that is too long.
        """
        options |= {
            "stream": True,
            "timeout": (
                self._settings.download_connect_seconds,
                self._settings.download_silence_seconds,
            ),
        }
        failures = 0
        while True:
            self._pace.wait()
            wait = 0.0
            try:
                reply = super().request(method, url, *args, **options)
                self._read(reply)
            except (requests.RequestException, OSError) as error:
                reason = _short(error)
            else:
                reason = _passing(reply)
                if not reason:
                    return reply
                wait = retry_after(reply.headers) or 0.0
            failures += 1
            if failures >= self._settings.download_attempts or wait > LONGEST_RETRY_AFTER_SECONDS:
                raise TransientError(
                    f"{self._archive} ({urlsplit(url).netloc}) gives no answer: {reason}; it is "
                    "asked again later"
                )
            pause = max(wait, pause_after(failures, self._settings.download_backoff_seconds))
            get_logger().info(
                "archive gives no answer; asking again",
                archive=self._archive,
                reason=reason,
                pause=round(pause, 1),
            )
            time.sleep(pause)

    def _read(self, reply: requests.Response) -> None:
        """Read the body, within limits: silence alone is noticed by the time-out.

        Raises
        ------
        TransientError
            If there is no end to it.
        """
        latest = time.monotonic() + _LONGEST_REPLY_SECONDS
        body = bytearray()
        with reply:
            for chunk in reply.iter_content(_CHUNK):
                body += chunk
                if len(body) > _LARGEST_REPLY or time.monotonic() > latest:
                    raise TransientError(
                        f"{self._archive} sends a reply without an end ({len(body)} bytes so far); "
                        "it is asked again later"
                    )
        reply._content = bytes(body)  # what `content`, `text` and `json` then return


def refusal(archive: str, reply: requests.Response) -> TransientError:
    """Return the error for a reply that refuses a query.

    Parameters
    ----------
    archive
        What messages call the archive.
    reply
        The reply, with a status from 400 on.
    """
    said = words_of(reply.text)
    remedy = f"{EXPIRY_REMEDY}; " if is_expiry(reply.status_code, said) else ""
    return TransientError(
        f"{archive} refuses the query ({reply.status_code}{said and f': {said}'}); {remedy}it is "
        "asked again later"
    )


def _passing(reply: requests.Response) -> str:
    """Return why another request may get what this one did not; empty where it got its answer."""
    if reply.status_code >= 500 or reply.status_code in _PASSING:
        return f"it answers {reply.status_code}"
    if len(reply.content) <= _LONGEST_STATUS and reply.ok:
        try:
            said = reply.json()
        except ValueError:
            return ""
        if isinstance(said, dict) and said.get("status") == _EXECUTING:
            return f"it is still executing the query ({_EXECUTING})"
    return ""


def _short(error: Exception) -> str:
    """Return an error in one line: the cause alone of one that names every layer above it."""
    if isinstance(error, requests.Timeout):
        return "no byte came in time"
    cause = getattr(error.args[0], "reason", None) if error.args else None
    text = str(cause or error).rsplit(": ", 1)[-1] or type(error).__name__
    return " ".join(text.split())[:300]
