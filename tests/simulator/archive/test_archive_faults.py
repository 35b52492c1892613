"""Faults by rule: each kind as a client meets it, and rules that make no sense."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.errors import PermanentError
from simulator.archive.faults import FaultRule, Kind, read_rules
from simulator.archive.server import running_archive

_CONTENT = bytes(range(256)) * 40
_NAME = "ldfd01vnq_rawtag_a.fits"
_PATH = f"/api/v0.1/Download/file?uri=mast:HST/product/{_NAME}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder with one file, which is no FITS file."""
    (tmp_path / _NAME).write_bytes(_CONTENT)
    return tmp_path


@contextmanager
def _served(folder: Path, kind: Kind, **rule: Any) -> Iterator[httpx.Client]:
    found = FaultRule.model_validate({"path": "*Download*", "kind": kind, **rule})
    with (
        running_archive(folder, rules=[found]) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        yield client


def test_status_from_the_second_request_on_twice(folder: Path) -> None:
    with _served(folder, Kind.STATUS, status=429, retry_after=7, request=2, times=2) as client:
        replies = [client.get(_PATH) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 429, 429, 200]
    assert replies[1].headers["Retry-After"] == "7"
    assert replies[3].content == _CONTENT


@pytest.mark.parametrize("status", [400, 401, 403, 500, 502, 503])
def test_status_for_ever(folder: Path, status: int) -> None:
    with _served(folder, Kind.STATUS, status=status, times=0, method="GET") as client:
        assert {client.get(_PATH).status_code for _ in range(3)} == {status}
        assert client.head(_PATH).status_code == 200


@pytest.mark.parametrize("after", [0, 1000])
def test_silence(folder: Path, after: int) -> None:
    with _served(folder, Kind.SILENCE, after=after) as client:
        received = bytearray()

        def read() -> None:
            with client.stream("GET", _PATH, timeout=httpx.Timeout(20, read=0.5)) as reply:
                for chunk in reply.iter_raw():
                    received.extend(chunk)

        with pytest.raises(httpx.ReadTimeout):
            read()
        assert received == _CONTENT[:after]


def test_slow_bytes(folder: Path) -> None:
    with _served(folder, Kind.SLOW, rate=20_000) as client:
        started = time.monotonic()
        assert client.get(_PATH).content == _CONTENT
        assert time.monotonic() - started > 0.9 * len(_CONTENT) / 20_000


def test_body_cut_short(folder: Path) -> None:
    with _served(folder, Kind.CUT, after=3000) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="received 3000 bytes, expected 10240"):
            client.get(_PATH)
        rest = client.get(_PATH, headers={"Range": "bytes=3000-"})
        assert rest.content == _CONTENT[3000:]


def test_body_cut_short_without_a_length(folder: Path) -> None:
    with _served(folder, Kind.CUT, after=3000, length=False) as client:
        reply = client.get(_PATH)
    assert "Content-Length" not in reply.headers
    assert reply.content == _CONTENT[:3000]


def test_wrong_bytes_of_the_right_length(folder: Path) -> None:
    with _served(folder, Kind.WRONG_BYTES, after=100) as client:
        found = client.get(_PATH).content
    assert len(found) == len(_CONTENT)
    assert found[:100] == _CONTENT[:100]
    assert not any(one == other for one, other in zip(found[100:], _CONTENT[100:], strict=True))


def test_ranges_ignored_or_off(folder: Path) -> None:
    ask = {"Range": "bytes=5000-"}
    with _served(folder, Kind.NO_RANGE) as client:
        assert client.get(_PATH, headers=ask).content == _CONTENT
        assert client.get(_PATH, headers=ask).status_code == 206
    with _served(folder, Kind.RANGE_OFF) as client:
        reply = client.get(_PATH, headers=ask)
    assert reply.content == _CONTENT[5001:]
    assert reply.headers["Content-Range"].startswith("bytes 5001-")


def test_another_etag_in_the_middle(folder: Path) -> None:
    with _served(folder, Kind.ETAG, request=2) as client:
        first = client.get(_PATH).headers["ETag"]
        again = client.get(_PATH, headers={"Range": "bytes=5000-", "If-Range": first})
        assert (again.status_code, again.content) == (200, _CONTENT)
        assert again.headers["ETag"] != first
        rest = client.get(_PATH, headers={"Range": "bytes=5000-", "If-Range": first})
        assert (rest.status_code, rest.content) == (206, _CONTENT[5000:])


def test_page_redirect_and_polling(folder: Path) -> None:
    with _served(folder, Kind.HTML) as client:
        reply = client.get(_PATH)
        assert (reply.status_code, reply.headers["Content-Type"][:9]) == (200, "text/html")
    with _served(folder, Kind.REDIRECT, location="http://127.0.0.1:9") as client:
        reply = client.get(_PATH)
        assert reply.status_code == 302
        assert reply.headers["Location"] == f"http://127.0.0.1:9{_PATH}"
    with _served(folder, Kind.EXECUTING, path="/api/v0/invoke", times=0) as client:
        replies = [client.post("/api/v0/invoke").json()["status"] for _ in range(3)]
        assert replies == ["EXECUTING"] * 3


def test_expired_token(folder: Path) -> None:
    (folder / "archive.toml").write_text(
        "[exclusive]\n'*' = 2100-01-01\n[[tokens]]\nvalue = 'good'\n"
    )
    sent = {"Authorization": "token good"}
    with _served(folder, Kind.EXPIRED_TOKEN) as client:
        refused = client.get(_PATH, headers=sent)
        assert (refused.status_code, refused.json()) == (401, {"detail": "the token has expired"})
        assert client.get(_PATH, headers=sent).status_code == 200
        assert client.get(_PATH).json() == {"detail": f"{_NAME} is exclusive"}


def test_wrong_sizes_in_a_list_of_products(folder: Path) -> None:
    products = "/search/hst/api/v0.1/list_products?dataset_ids=LDFD01VNQ"
    with _served(folder, Kind.SIZE, path="*list_products*", amount=-10) as client:
        sizes = [client.get(products).json()["products"][0]["size"] for _ in range(2)]
    assert sizes == [len(_CONTENT) - 10, len(_CONTENT)]


@pytest.mark.parametrize("amount", [-2, 2])
def test_pages_that_shift(folder: Path, amount: int) -> None:
    rule = FaultRule(path="*search", kind=Kind.SHIFT, amount=amount, times=0)
    names: list[str] = []
    with running_archive(folder, rules=[rule], rows=20) as url:
        for offset in (0, 10, 20):
            asked = {"select_cols": ["sci_data_set_name"], "limit": 10, "offset": offset}
            reply = httpx.post(f"{url}/search/hst/api/v0.1/search", json=asked).json()
            names += [row["sci_data_set_name"] for row in reply["results"]]
    assert len(names) == (21 if amount < 0 else 19) + (2 if amount < 0 else 0)
    assert len(set(names)) == (21 if amount < 0 else 19)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fault = 3", "fault: Input should be"),
        ("[[fault]]\npath = '*'", "fault.0.kind: Field required"),
        ("[[fault]]\npath = '*'\nkind = 'fire'", "fault.0.kind: Input should be 'status'"),
        ("[[fault]]\npath = '*'\nkind = 'status'", "fault.0: status needs status"),
        ("[[fault]]\npath = '*'\nkind = 'status'\nstatus = 200", "status is one of 400"),
        ("[[fault]]\npath = '*'\nkind = 'slow'\nrate = 0", "fault.0.rate: Input should be greater"),
        ("[[fault]]\npath = '*'\nkind = 'html'\nwhen = 1", "fault.0.when: Extra inputs"),
        ("[[fault]]\npath = '*'\nkind = 'html'\nrequest = 0", "fault.0.request"),
        ("[[fault", "are not TOML"),
    ],
)
def test_rules_that_make_no_sense(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(PermanentError, match="the fault rules") as caught:
        read_rules(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rules_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="cannot be read: No such file"):
        read_rules(tmp_path / "nothing.toml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(PermanentError, match="cannot be read"):
        read_rules(tmp_path / "binary")
