"""Downloads that break, and files that are not what they should be."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from cosmo.client import DownloadError, NoAnswerError, NotFoundError, Retry
from tests.cosmo.client.scripted import Body, Scripted

_CONTENT = bytes(range(256)) * 20
_HALF = len(_CONTENT) // 2


def _head(content: bytes) -> dict[str, str]:
    return {
        "ETag": f'"{sha256(content).hexdigest()}"',
        "Content-Disposition": 'attachment; filename="l_x1d.fits"',
        "Content-Length": str(len(content)),
    }


def _service(*bodies: Body, content: bytes = _CONTENT) -> Callable[[httpx.Request], httpx.Response]:
    """Make a service whose answers have these bodies in turn."""
    waiting = list(bodies)

    def answer(request: httpx.Request) -> httpx.Response:
        head = _head(content)
        if request.method == "HEAD":
            return httpx.Response(200, headers=head)
        body = waiting.pop(0)
        partial = request.headers.get("If-Range") == head["ETag"]
        return httpx.Response(206 if partial else 200, stream=body)

    return answer


def test_a_download_goes_on_where_it_broke(tmp_path: Path) -> None:
    client = Scripted(_service(Body(_CONTENT[:_HALF], breaks=True), Body(_CONTENT[_HALF:])))
    path = client.download_file(1, tmp_path)
    assert path == tmp_path / "l_x1d.fits"
    assert path.read_bytes() == _CONTENT
    assert client.requests[-1].headers["Range"] == f"bytes={_HALF}-"
    assert list(tmp_path.iterdir()) == [path]


def test_a_later_download_goes_on_too(tmp_path: Path) -> None:
    target, never = tmp_path / "x.fits", Retry(attempts=1)
    with pytest.raises(NoAnswerError):
        Scripted(_service(Body(_CONTENT[:_HALF], breaks=True)), never).download_file(1, target)
    assert not target.exists()
    client = Scripted(_service(Body(_CONTENT[_HALF:])), never)
    assert client.download_file(1, target).read_bytes() == _CONTENT


def test_another_content_is_not_appended(tmp_path: Path) -> None:
    target, other = tmp_path / "x.fits", _CONTENT[::-1]
    with pytest.raises(NoAnswerError):
        Scripted(_service(Body(_CONTENT[:_HALF], breaks=True)), Retry(attempts=1)).download_file(
            1, target
        )
    client = Scripted(_service(Body(other), content=other))
    assert client.download_file(1, target).read_bytes() == other
    assert "Range" not in client.requests[-1].headers


@pytest.mark.parametrize(
    "body",
    [_CONTENT[:-1], _CONTENT[:-1] + b"x", _CONTENT + b"x"],
    ids=["shorter", "other", "longer"],
)
def test_a_damaged_download_is_an_error_and_leaves_nothing(tmp_path: Path, body: bytes) -> None:
    client = Scripted(_service(Body(body)))
    with pytest.raises(DownloadError, match=r"GET /artifacts/1/content: .* download it again"):
        client.download_artifact(1, tmp_path / "x.fits")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_downloaded_again(tmp_path: Path) -> None:
    (tmp_path / "l_x1d.fits").write_bytes(_CONTENT)
    client = Scripted(_service())
    assert client.download_export(1, tmp_path) == tmp_path / "l_x1d.fits"
    assert [request.method for request in client.requests] == ["HEAD"]


def test_a_refused_download_says_why(tmp_path: Path) -> None:
    error = {"error": {"type": "unknown_file", "message": "no file 99", "detail": None}}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.method == "HEAD" else httpx.Response(404, json=error)

    with pytest.raises(NotFoundError, match="GET /files/99/content: 404: no file 99") as caught:
        Scripted(answer).download_file(99, tmp_path)
    assert caught.value.type == "unknown_file"
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file(tmp_path: Path) -> None:
    client = Scripted(_service(content=b""))
    assert client.download_file(1, tmp_path / "x").read_bytes() == b""


def test_a_name_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        named = {"Content-Disposition": 'attachment; filename="../../evil"'}
        return httpx.Response(200, headers={**_head(b"x"), **named}, stream=Body(b"x"))

    folder = tmp_path / "folder"
    folder.mkdir()
    assert Scripted(answer).download_file(1, folder) == folder / "evil"
