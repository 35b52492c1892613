"""Paths survive the way through a URL, whatever characters they have."""

import re
from pathlib import Path

import pytest
import redis
from sqlalchemy import make_url

from services.archive.sources import open_source
from shared.store import Store
from shared.urls import file_url, path_of, postgres_url, redis_url

NAMES = [
    "plain",
    "with blanks",
    "a#b",
    "a?b=c",
    "100%",
    "a%20b",
    "Ärger-観測",
    "a::b",
    "a@b:c&d+e;f",
    "[1]*",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_survives(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    assert re.fullmatch(r"file://[\w/.~-]*(%[0-9A-F]{2}[\w/.~-]*)*", file_url(path), re.ASCII)
    assert path_of(file_url(path)) == path
    assert path_of(str(path)) == path
    connection = redis.Redis.from_url(redis_url(path)).connection_pool.connection_kwargs
    assert (connection["path"], connection["db"]) == (str(path), 0)
    assert make_url(postgres_url(path, "cosmo", "postgres")).query["host"] == str(path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", [file_url, str])
def test_a_store_keeps_its_files_where_its_url_says(
    name: str, form: type[str], tmp_path: Path
) -> None:
    (tmp_path / "given.txt").write_text("content")
    store = Store(form(tmp_path / name / "store"))
    store.publish(tmp_path / "given.txt", "folder")
    assert (tmp_path / name / "store" / "folder" / "given.txt").read_text() == "content"
    assert store.fetch("folder/given.txt", tmp_path / "unused").read_text() == "content"
    assert store.folders("") == [".staging", "folder"]
    store.remove("folder")
    assert store.folders("") == [".staging"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", [file_url, str])
def test_a_source_reads_its_files_where_its_url_says(
    name: str, form: type[str], tmp_path: Path
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "ldfd01vnq_spt.fits").write_bytes(b"content")
    source = open_source(form(folder))
    (file,) = source.list().files
    assert path_of(file.url) == folder / "ldfd01vnq_spt.fits"
    with open_source(source.url).open(file) as stream:
        assert stream.read() == b"content"


def test_other_urls_are_no_paths() -> None:
    for url in (
        "s3://bucket/cos",
        "https://host/a%20b",
        "zip://::/data/visit.zip",
        "zip::/data/visit.zip",
    ):
        assert path_of(url) is None
    assert (
        path_of("file://cosmo-data/store")
        == path_of("cosmo-data/store")
        == Path.cwd() / "cosmo-data" / "store"
    )
