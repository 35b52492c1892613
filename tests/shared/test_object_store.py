"""The file store in S3: what it asks for, what it says while the server is away, and at the
start.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from shared.errors import OutageError, PermanentError
from shared.store import Store, StoredEntry
from tests.object_store import ObjectStore

pytestmark = pytest.mark.integration

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def store(object_store: ObjectStore) -> Store:
    return Store(f"{object_store.url}/cosmo")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.fits.gz"
    path.write_bytes(CONTENT)
    return path


def test_files_come_and_go(
    store: Store, object_store: ObjectStore, file: Path, tmp_path: Path
) -> None:
    before = len(object_store.requests())
    stored = store.publish(file, "raw/x")
    assert object_store.requests()[before:] == ["PUT /bucket/cosmo/raw/x/a.fits.gz"]
    assert (stored.size, stored.path, len(stored.sha256)) == (len(CONTENT), "raw/x", 64)

    with store.open("raw/x/a.fits.gz") as stream:
        stream.seek(1000)
        assert stream.read(10) == CONTENT[1000:1010]
        assert stream.seek(0) == 0
        assert stream.read() == CONTENT
    assert store.fetch("raw/x/a.fits.gz", tmp_path / "new").read_bytes() == CONTENT
    assert store.folders("raw") == ["x"]
    assert store.files("raw/x") == [StoredEntry("a.fits.gz", len(CONTENT))]
    assert (list(store.walk()), list(store.walk(older_than=60))) == ([("raw/x", "a.fits.gz")], [])

    # Another process, whose doings this one's client does not see, writes as well.
    fsspec.filesystem("s3", skip_instance_cache=True).pipe("bucket/cosmo/raw/y/b.fits", b"")
    assert store.folders("raw") == ["x", "y"]

    for _ in range(2):
        store.remove("raw/x")
    assert store.folders("raw") == ["y"]
    assert store.files("raw/x") == []
    with pytest.raises(PermanentError, match="not in the store"), store.open("raw/x/a.fits.gz"):
        pass
    with pytest.raises(PermanentError, match="not in the store"):
        store.fetch("raw/x/a.fits.gz", tmp_path)


def test_a_look_at_the_header_of_a_large_file_does_not_read_all_of_it(
    store: Store, object_store: ObjectStore, tmp_path: Path
) -> None:
    path = tmp_path / "large.fits"
    path.write_bytes(CONTENT * 10)
    store.publish(path, "raw/x")
    with store.open("raw/x/large.fits") as stream:
        assert stream.read(2880) == CONTENT[:2880]
    (request,) = object_store.requests(r"^GET .*/large\.fits")
    assert int(request.rsplit("-", 1)[1]) < len(CONTENT) * 3


def test_a_server_that_is_away_is_an_outage(
    store: Store, object_store: ObjectStore, file: Path, tmp_path: Path
) -> None:
    store.publish(file, "raw/x")
    calls: list[Callable[[], object]] = [
        store.require,
        lambda: store.publish(file, "raw/y"),
        lambda: store.open("raw/x/a.fits.gz").__enter__(),
        lambda: store.fetch("raw/x/a.fits.gz", tmp_path / "new"),
        lambda: store.files("raw/x"),
        lambda: store.folders("raw"),
        lambda: list(store.walk()),
        lambda: store.remove("raw/x"),
    ]
    with store.open("raw/x/a.fits.gz") as stream:
        object_store.stop()
        with pytest.raises(OutageError, match=r"does not hand out raw/x/a\.fits\.gz"):
            stream.read()
    for call in calls:
        with pytest.raises(OutageError, match=r"the store s3://bucket/cosmo .* connect"):
            call()
    object_store.start()
    for call in calls:
        call()
    assert store.folders("raw") == ["y"]


def test_a_store_that_cannot_work_is_refused(
    object_store: ObjectStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(object_store.url).require()
    Store(f"file://{file.parent}/new").require()
    for url, problem in (
        ("s3://nosuch/cosmo", "there is no bucket 'nosuch'; create it"),
        ("s3://", "it names no bucket"),
        ("s3://a bucket", "Invalid bucket name"),
        ("nosuch://bucket", "Protocol not known"),
        ("oci://bucket", "install"),  # its package is not installed
    ):
        with pytest.raises(PermanentError, match=f"the store {url} cannot be used: .*{problem}"):
            Store(url).require()
    # Nobody's file fails for good because somebody removed the bucket.
    with pytest.raises(OutageError, match="did not take"):
        Store("s3://nosuch/cosmo").publish(file, "raw/x")
    object_store.check_keys(checking=True)
    with pytest.raises(PermanentError, match=r"cannot be used: Forbidden; .* credentials"):
        Store(object_store.url).require()
    # They may have expired, which is no fault of the job that meets it first.
    with pytest.raises(OutageError, match="did not take"):
        Store(object_store.url).publish(file, "raw/x")
    object_store.check_keys(checking=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(PermanentError, match="cannot be used: Unable to locate credentials"):
        Store(object_store.url).require()


@pytest.mark.parametrize(
    ("service", "setting", "url", "problem"),
    [
        ("ingestor", "COSMO_STORE_URL", "s3://nosuch", "there is no bucket 'nosuch'"),
        ("monitor", "COSMO_STORE_URL", "s3://nosuch", "there is no bucket 'nosuch'"),
        ("ingestor", "COSMO_REFERENCES__FOLDER", "s3://bucket/nosuch", "lists no reference files"),
    ],
)
def test_a_service_says_in_a_line_what_cannot_work(
    service: str, setting: str, url: str, problem: str, object_store: ObjectStore
) -> None:
    environment = os.environ | {
        "COSMO_STORE_URL": object_store.url,
        "COSMO_DATABASE_URL": "postgresql+asyncpg://cosmo@127.0.0.1:9/cosmo",
        "COSMO_API__PORT": "0",
        setting: url,
    }
    ended = subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stdout + ended.stderr
    lines = [line for line in (ended.stdout + ended.stderr).splitlines() if "nosuch" in line]
    assert problem in json.loads(lines[0])["error"]
    assert len(lines) == 1
