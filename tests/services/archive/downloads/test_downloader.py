"""Downloads from a server that misbehaves, and by processes that are killed."""

import hashlib
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from services.archive.downloads import Downloader, RemoteFile, StoppedError
from shared import __version__
from shared.errors import PermanentError, TransientError
from shared.fits import check_fits
from simulator.archive.faults import FaultRule, Kind
from simulator.archive.server import running_archive
from tests.services.archive.downloads.conftest import IN_BUCKET, NAME, Answers

Make = Callable[..., Downloader]
_CUT = 1_500_000
"""Bytes that come before a fault: more than an attempt must bring to count as progress."""


@dataclass
class Served:
    """A file of the stand-in, and the range and status of each request for it."""

    file: RemoteFile
    lines: list[str] = field(default_factory=list)

    @property
    def requests(self) -> list[str]:
        """Ranges that were asked for, statuses, sizes and faults, once the server is done."""
        return [" ".join(line.split()[2:]) for line in self.lines]


@contextmanager
def _served(folder: Path, *faults: dict[str, Any]) -> Iterator[Served]:
    rules = [FaultRule.model_validate({"path": f"*{NAME}*", **fault}) for fault in faults]
    lines: list[str] = []
    with running_archive(folder, rules=rules, report=lines.append) as url:
        yield Served(RemoteFile(f"{url}{IN_BUCKET}", NAME, "1"), lines)


def _download(
    downloader: Downloader, file: RemoteFile, check: Callable[[Path], object] = check_fits
) -> bytes:
    with downloader.downloaded(file, check, threading.Event()) as path:
        assert path.name == file.name
        return path.read_bytes()


def _come(parts: Path) -> int:
    """Return how many bytes have come."""
    return sum(path.stat().st_size for path in parts.glob("*/*.part"))


_AGAIN = [
    pytest.param({"kind": Kind.STATUS, "status": status}, id=f"status-{status}")
    for status in (429, 500, 502, 503)
] + [
    pytest.param({"kind": Kind.HTML}, id="a page"),
    pytest.param({"kind": Kind.EXECUTING, "times": 2}, id="EXECUTING twice"),
    pytest.param({"kind": Kind.WRONG_BYTES}, id="wrong bytes"),
    pytest.param({"kind": Kind.SILENCE}, id="silence"),
    pytest.param({"kind": Kind.CUT, "after": _CUT, "length": False}, id="cut without a length"),
]


@pytest.mark.parametrize("fault", _AGAIN)
def test_what_passes_is_asked_for_again(
    fault: dict[str, Any], folder: Path, content: bytes, make: Make
) -> None:
    with _served(folder, fault) as served:
        assert _download(make(), served.file) == content
    assert served.requests[-1] == f"200 {len(content)}"
    assert not any("bytes=" in request for request in served.requests)


@pytest.mark.parametrize(
    "fault",
    [{"kind": Kind.CUT, "after": _CUT}, {"kind": Kind.SILENCE, "after": _CUT}],
    ids=["cut", "silence"],
)
def test_the_rest_alone_is_asked_for(
    fault: dict[str, Any], folder: Path, content: bytes, make: Make
) -> None:
    with _served(folder, fault) as served:
        assert _download(make(), served.file) == content
    assert served.requests[-1] == f"bytes={_CUT}- 206 {len(content) - _CUT}"


@pytest.mark.parametrize("kind", [Kind.NO_RANGE, Kind.RANGE_OFF, Kind.ETAG])
def test_where_the_rest_does_not_fit_all_is_asked_for(
    kind: Kind, folder: Path, content: bytes, make: Make
) -> None:
    cut, then = {"kind": Kind.CUT, "after": _CUT}, {"kind": kind, "request": 2}
    with _served(folder, cut, then) as served:
        assert _download(make(), served.file) == content
    assert served.requests[1].startswith(f"bytes={_CUT}-")
    assert [request.split()[-1] for request in served.requests].count(str(len(content))) == (
        kind is Kind.RANGE_OFF
    )


def test_progress_is_no_failure(folder: Path, content: bytes, make: Make) -> None:
    cut = {"kind": Kind.CUT, "after": 1 << 20, "times": 0}
    with _served(folder, cut) as served:
        assert _download(make(download_attempts=1), served.file) == content
    assert len(served.requests) == 4


def test_a_server_that_never_recovers_is_left_to_the_queue(folder: Path, make: Make) -> None:
    with (
        _served(folder, {"kind": Kind.STATUS, "status": 503, "times": 0}) as served,
        pytest.raises(TransientError, match=rf"{NAME} cannot be read: .* 503; it is tried again"),
    ):
        _download(make(), served.file)
    assert served.requests == ["503 9 status"] * 3


def test_the_server_says_how_long_to_wait(folder: Path, content: bytes, make: Make) -> None:
    busy = {"kind": Kind.STATUS, "status": 429, "retry_after": 1}
    with _served(folder, busy) as served:
        started = time.monotonic()
        assert _download(make(), served.file) == content
        assert time.monotonic() - started >= 1.0
    assert len(served.requests) == 2
    with (
        _served(folder, {**busy, "retry_after": 3600}) as served,
        pytest.raises(TransientError, match="429"),
    ):
        _download(make(), RemoteFile(served.file.url, NAME, "2"))
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "refused .401.: these data need rights; give the source's address a user"),
        (403, "refused .403.: these data need rights"),
        (404, "is listed by its source and not there .404."),
        (400, "is answered with 400 Bad Request; check the address of the source"),
    ],
)
def test_refusals_are_final(status: int, message: str, folder: Path, make: Make) -> None:
    with (
        _served(folder, {"kind": Kind.STATUS, "status": status, "times": 0}) as served,
        pytest.raises(PermanentError, match=message),
    ):
        _download(make(), served.file)
    assert len(served.requests) == 1


def test_nobody_listens(make: Make) -> None:
    with pytest.raises(TransientError, match=r"cannot be read: .*refused"):
        _download(make(), RemoteFile("http://127.0.0.1:1/a.fits", "a.fits", ""))


def test_a_file_that_is_damaged_at_its_source_is_fetched_twice(
    tmp_path: Path, content: bytes, make: Make
) -> None:
    (tmp_path / NAME).write_bytes(content[:-2880])
    with (
        _served(tmp_path) as served,
        pytest.raises(PermanentError, match=r"2880 of .* bytes of data are missing"),
    ):
        _download(make(), served.file)
    assert len(served.requests) == 2


def test_a_checksum_that_the_server_declares(answers: Answers, content: bytes, make: Make) -> None:
    file = RemoteFile(f"{answers.url}/{NAME}", NAME, "")
    answers.content = content
    answers.headers = {"Digest": f"md5={b64encode(hashlib.md5(b'others').digest()).decode()}"}
    with pytest.raises(TransientError, match=f"MD5 is {hashlib.md5(content).hexdigest()}, not"):
        _download(make(), file)
    assert len(answers.asked) == 3
    answers.headers = {"Digest": f"md5={b64encode(hashlib.md5(content).digest()).decode()}"}
    assert _download(make(), file) == content


def test_who_asks(answers: Answers, content: bytes, make: Make) -> None:
    answers.content = content
    _download(make(), RemoteFile(f"{answers.url}/{NAME}", NAME, ""))
    assert answers.asked[0]["User-Agent"] == f"COSMO/{__version__}"
    assert answers.asked[0]["Accept-Encoding"] == "identity"


def test_a_password_is_not_carried_elsewhere(
    content: bytes, answers: Answers, elsewhere: Answers, make: Make
) -> None:
    elsewhere.content = content
    answers.status = HTTPStatus.FOUND
    answers.headers = {"Location": f"{elsewhere.url}/{NAME}", "Set-Cookie": "session=secret"}
    address = answers.url.replace("http://", "http://reader:secret@")
    assert _download(make(), RemoteFile(f"{address}/{NAME}", NAME, "")) == content
    assert answers.asked[0]["Authorization"].startswith("Basic ")
    assert "Authorization" not in elsewhere.asked[0]


def test_a_token_is_for_the_host_of_the_address(
    content: bytes, answers: Answers, elsewhere: Answers, make: Make
) -> None:
    elsewhere.content = content
    answers.status = HTTPStatus.FOUND
    answers.headers = {"Location": f"{elsewhere.url}/{NAME}"}
    file = RemoteFile(f"{answers.url}/{NAME}", NAME, "", authorization="token secret")
    assert "secret" not in repr(file)
    assert _download(make(), file) == content
    assert answers.asked[0]["Authorization"] == "token secret"
    assert "secret" not in str(elsewhere.asked)


@pytest.mark.parametrize("size", [1, None])
def test_the_listed_md5_decides_and_the_listed_size_does_not(
    size: int | None, content: bytes, answers: Answers, make: Make
) -> None:
    answers.content = content
    found = hashlib.md5(content).hexdigest()
    listed = RemoteFile(f"{answers.url}/{NAME}", NAME, "1", md5=found, size=size)
    assert _download(make(), listed) == content
    other = replace(listed, md5=hashlib.md5(b"").hexdigest())
    with pytest.raises(TransientError, match=rf"{NAME} has the MD5 {found} where its source lists"):
        _download(make(), other)
    # What was there counts as the first try.
    assert len(answers.asked) == 1 + 1


def test_connections_of_a_host_are_bounded(answers: Answers, make: Make) -> None:
    answers.content = b"dark rates"
    answers.wait = lambda: time.sleep(0.05)
    downloader = make(download_connections=2)
    files = [RemoteFile(f"{answers.url}/{n}", f"{n}.txt", "") for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda file: _download(downloader, file, lambda _: None), files))
    assert answers.together == 2


def test_a_file_is_kept_until_it_is_discarded(folder: Path, parts: Path, make: Make) -> None:
    with _served(folder) as served:
        first, second = make(), make()
        assert _download(first, served.file) == _download(second, served.file)
        _download(first, RemoteFile(served.file.url, NAME, "another version"))
        second.discard(served.file)
        second.discard(served.file)
        assert len(list(parts.iterdir())) == 1
        _download(first, served.file)
    assert len(served.requests) == 3


def test_workers_do_not_download_one_file_at_once(folder: Path, content: bytes, make: Make) -> None:
    with _served(folder, {"kind": Kind.SLOW, "rate": 2e7}) as served, ThreadPoolExecutor(3) as some:
        copies = list(some.map(lambda _: _download(make(), served.file), range(3)))
    assert copies == [content] * 3
    assert len(served.requests) == 1


def test_stop(folder: Path, content: bytes, parts: Path, make: Make) -> None:
    stop = threading.Event()

    def stop_when_it_came() -> None:
        while not _come(parts):
            time.sleep(0.02)
        stop.set()

    with _served(folder, {"kind": Kind.SLOW, "rate": 4e5}) as served:
        threading.Thread(target=stop_when_it_came, daemon=True).start()
        with pytest.raises(StoppedError), make().downloaded(served.file, check_fits, stop):
            pass
        with pytest.raises(StoppedError), make().downloaded(served.file, check_fits, stop):
            pass
        assert _download(make(), served.file) == content
    assert served.requests[-1].startswith("bytes=")


def test_a_folder_that_takes_nothing_is_named(folder: Path, tmp_path: Path, make: Make) -> None:
    (tmp_path / "parts").write_text("no folder")
    with (
        _served(folder) as served,
        pytest.raises(TransientError, match=rf"parts did not take {NAME}: .*DOWNLOAD_FOLDER"),
    ):
        _download(make(), served.file)


_PROGRAM = """
import sys, threading
from pathlib import Path
from services.archive.downloads import Downloader, RemoteFile
from shared.settings import ArchiveSettings
with Downloader(Path(sys.argv[1]), ArchiveSettings()).downloaded(
    RemoteFile(sys.argv[2], sys.argv[3], "1"), lambda _: None, threading.Event()
):
    pass
"""


def test_a_killed_process_loses_nothing(
    folder: Path, content: bytes, parts: Path, make: Make
) -> None:
    reached = int(0.6 * len(content))
    with _served(folder, {"kind": Kind.SILENCE, "after": reached}) as served:
        command = [sys.executable, "-c", _PROGRAM, str(parts), served.file.url, NAME]
        process = subprocess.Popen(command)
        while _come(parts) < reached:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert _download(make(), served.file) == content
    assert served.requests[-1] == f"bytes={reached}- 206 {len(content) - reached}"
