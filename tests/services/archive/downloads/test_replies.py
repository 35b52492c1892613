"""What replies say of a file."""

import hashlib
import time
from base64 import b64encode
from email.utils import formatdate

import httpx
import pytest

from services.archive.downloads.errors import InterruptedDownloadError
from services.archive.downloads.replies import (
    check_rest,
    md5_of,
    refuse_failure,
    refuse_other_content,
    validator_of,
)
from shared.errors import PermanentError

_NOW = 1.7e9
_MD5 = hashlib.md5(b"")


def _reply(headers: dict[str, str], status: int = 200) -> httpx.Response:
    return httpx.Response(status, headers=headers)


@pytest.mark.parametrize(
    ("said", "waits"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (formatdate(_NOW, usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after(said: str, waits: float | None) -> None:
    with pytest.raises(InterruptedDownloadError) as caught:
        refuse_failure(_reply({"Retry-After": said}, 503), "http://a/b")
    assert caught.value.wait == waits


def test_retry_after_a_date() -> None:
    said = formatdate(time.time() + 1000, usegmt=True)
    with pytest.raises(InterruptedDownloadError) as caught:
        refuse_failure(_reply({"Retry-After": said}, 503), "http://a/b")
    assert caught.value.wait is not None
    assert 900 <= caught.value.wait <= 1001


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": '"abc"'}, '"abc"'),
        ({"ETag": 'W/"abc"'}, None),
        ({"ETag": "abc"}, None),
        ({}, None),
        ({"Last-Modified": formatdate(_NOW, usegmt=True)}, None),
        (
            {
                "Last-Modified": formatdate(_NOW, usegmt=True),
                "Date": formatdate(_NOW + 60, usegmt=True),
            },
            formatdate(_NOW, usegmt=True),
        ),
        (
            {
                "Last-Modified": formatdate(_NOW, usegmt=True),
                "Date": formatdate(_NOW, usegmt=True),
            },
            None,
        ),
        ({"Last-Modified": "yesterday", "Date": "today"}, None),
    ],
)
def test_validator(headers: dict[str, str], validator: str | None) -> None:
    assert validator_of(_reply(headers)) == validator


@pytest.mark.parametrize(
    ("said", "etag"),
    [
        ("", '"a"'),
        ("bytes 101-199/200", '"a"'),
        ("bytes 99-199/200", '"a"'),
        ("bytes 100-198/200", '"a"'),
        ("bytes 100-299/300", '"a"'),
        ("bytes */200", '"a"'),
        ("bytes 100-199/200", '"b"'),
    ],
)
def test_rests_that_do_not_fit(said: str, etag: str) -> None:
    with pytest.raises(InterruptedDownloadError):
        check_rest(_reply({"Content-Range": said, "ETag": etag}, 206), 100, '"a"', 200)


@pytest.mark.parametrize("said", ["bytes 100-199/200", "bytes 100-199/*"])
def test_rests_that_fit(said: str) -> None:
    check_rest(_reply({"Content-Range": said}, 206), 100, '"a"', 200)


@pytest.mark.parametrize(
    "headers",
    [
        {"Digest": f"md5={b64encode(_MD5.digest()).decode()}"},
        {"Digest": f"sha=abc, md5={b64encode(_MD5.hexdigest().encode()).decode()}"},
        {"Digest": f"MD5={_MD5.hexdigest()}"},
        {"Content-MD5": b64encode(_MD5.digest()).decode()},
        {"ETag": f'"{_MD5.hexdigest()}"', "x-amz-request-id": "1"},
        {
            "ETag": f'"{_MD5.hexdigest()}"',
            "x-amz-request-id": "1",
            "x-amz-server-side-encryption": "AES256",
        },
    ],
)
def test_md5(headers: dict[str, str]) -> None:
    assert md5_of(_reply(headers)) == _MD5.hexdigest()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Digest": "md5=what"},
        {"Digest": "md5=YWJj"},
        {"ETag": f'"{_MD5.hexdigest()}"'},
        {"ETag": f'"{_MD5.hexdigest()}-2"', "x-amz-request-id": "1"},
        {
            "ETag": f'"{_MD5.hexdigest()}"',
            "x-amz-request-id": "1",
            "x-amz-server-side-encryption": "aws:kms",
        },
    ],
)
def test_no_md5(headers: dict[str, str]) -> None:
    assert md5_of(_reply(headers)) is None


def test_md5_of_a_range_is_not_that_of_the_file() -> None:
    assert md5_of(_reply({"Content-MD5": b64encode(_MD5.digest()).decode()}, 206)) is None


def test_packed_content() -> None:
    refuse_other_content(_reply({"Content-Encoding": "x-gzip"}), "a_spt.fits.gz")
    refuse_other_content(_reply({"Content-Encoding": "identity"}), "a_spt.fits")
    for name, encoding in (("a_spt.fits", "gzip"), ("a_spt.fits.gz", "br")):
        with pytest.raises(PermanentError, match="the server packs"):
            refuse_other_content(_reply({"Content-Encoding": encoding}), name)
