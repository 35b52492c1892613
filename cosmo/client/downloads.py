"""Downloads that go on where they broke, and are checked when they are complete."""

import re
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import httpx

from cosmo.client.calls import Call, Flow, Pause, Transfer, Work
from cosmo.client.errors import ClientError, DownloadError, RequestError
from cosmo.client.retries import Retry

__all__ = ["download"]

_ETAG = re.compile(r'"([0-9a-f]{64})"')
_FILENAME = re.compile(r'filename="([^"]+)"')


@dataclass(frozen=True)
class _Content:
    """What the service says of a file: its name, size in bytes, and SHA-256, if it is known."""

    name: str
    size: int
    sha256: str | None


def _describe(path: str) -> Call[_Content]:
    def read(response: httpx.Response) -> _Content:
        named = _FILENAME.search(response.headers.get("Content-Disposition", ""))
        digest = _ETAG.fullmatch(response.headers.get("ETag", ""))
        return _Content(
            Path(named.group(1)).name if named else "content",
            int(response.headers["Content-Length"]),
            digest.group(1) if digest else None,
        )

    return Call("HEAD", path, read)


def _described(path: str) -> Flow[_Content]:
    """Ask for the description of a file, and for the reason where there is none.

    An answer to HEAD has no body, so that GET is what tells why it failed.
    """
    try:
        return (yield from _describe(path))
    except RequestError as error:
        if error.message:
            raise
        failed = error
    yield Call("GET", path, lambda _: None, headers={"Range": "bytes=0-0"})
    raise failed


class _IncompleteFile:
    """File that grows beside its target until it is complete.

    Its name has the SHA-256, so that only the same content is ever appended.
    """

    def __init__(self, target: Path, content: _Content) -> None:
        self.target = target / content.name if target.is_dir() else target
        self._content = content
        mark = (content.sha256 or "unknown")[:16]
        self._path = self.target.with_name(f".{self.target.name}.{mark}.part")
        if content.sha256 is None:
            self._path.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self._path.stat().st_size if self._path.exists() else 0

    @property
    def headers(self) -> dict[str, str]:
        """Headers that ask for what is missing, or for all of another content."""
        same = {"Accept-Encoding": "identity"}
        if not self.size:
            return same
        condition = {"If-Range": f'"{self._content.sha256}"'} if self._content.sha256 else {}
        return {**same, "Range": f"bytes={self.size}-", **condition}

    def begin(self, response: httpx.Response) -> None:
        """Start from the first byte, unless the answer has what is missing."""
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            self._path.write_bytes(b"")

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        with self._path.open("ab") as stream:
            stream.write(chunk)

    def is_there(self) -> bool:
        """Return whether the target has the content already."""
        return self.target.is_file() and self._problem(self.target) is None

    def finish(self, call: str) -> Path:
        """Check the content, and give the file its name.

        Raises
        ------
        DownloadError
            If it is damaged; it is removed, so that another download starts from the first byte.
        """
        if not self._content.size:
            self._path.touch()
        if (problem := self._problem(self._path)) is not None:
            self._path.unlink(missing_ok=True)
            raise DownloadError(call, f"{self.target.name} {problem}; download it again")
        return self._path.replace(self.target)

    def _problem(self, path: Path) -> str | None:
        size, expected = path.stat().st_size, self._content
        if size != expected.size:
            return f"has {size} bytes, not {expected.size}"
        if expected.sha256 is None:
            return None
        with path.open("rb") as stream:
            digest = file_digest(stream, "sha256").hexdigest()
        return None if digest == expected.sha256 else f"has SHA-256 {digest}, not {expected.sha256}"


def download(path: str, target: Path, retry: Retry) -> Flow[Path]:
    """Download a file, from where an earlier download of it broke.

    Parameters
    ----------
    path
        Address of its content.
    target
        Path of the file, or a folder, where it gets the name that the service gives it.
    retry
        How often a lost connection is made again without a byte of progress.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DownloadError
        If its size or SHA-256 is not what the service says.
    RequestError
        If the service has no such file; its message says why.
    """
    content = yield from _described(path)
    incomplete = _IncompleteFile(target, content)
    if (yield Work(incomplete.is_there)):
        return incomplete.target
    failures = 0
    while (size := incomplete.size) < content.size:
        call = Call("GET", path, lambda _: None, headers=incomplete.headers)
        try:
            yield Transfer(call, incomplete)
        except ClientError as error:
            failures = 1 if incomplete.size > size else failures + 1
            if (pause := retry.pause(call, failures, error)) is None:
                raise
            yield Pause(pause)
        else:
            break
    found: Path = yield Work(lambda: incomplete.finish(f"GET {path}"))
    return found
