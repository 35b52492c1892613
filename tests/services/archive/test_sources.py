"""Sources: what they list, what they say when they cannot, and that every kind of URL works."""

import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest

from services.archive.aside import name_of
from services.archive.metadata import read_facts
from services.archive.sources import (
    Listing,
    Source,
    SourceFile,
    _classes,
    check_source,
    open_source,
)
from shared.errors import PermanentError, TransientError

_NAMES = ("ldfd01010_asn.fits.gz", "ldfd01vnq_rawtag_a.fits.gz", "ldfd01vnq_spt.fits.gz")
_ALL = {"ldfd01010_asn", "ldfd01vnq_rawtag_a", "ldfd01vnq_spt"}


@pytest.fixture
def folder(data_dir: Path, tmp_path: Path) -> Path:
    """Folder with the table on top and one exposure below."""
    target = tmp_path / "source"
    (target / "visit").mkdir(parents=True)
    for name in _NAMES:
        place = target if "asn" in name else target / "visit"
        shutil.copyfile(data_dir / "ldfd01010" / "raw" / name, place / name)
    return target


@pytest.fixture
def web(folder: Path, serve: Callable[[Path], Any]) -> str:
    return str(serve(folder).url)


def _as_path(folder: Path) -> str:
    return str(folder)


def _as_file_url(folder: Path) -> str:
    return folder.as_uri()


def _as_memory(folder: Path) -> str:
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.put(f"{folder}/", "/source/", recursive=True)
    return "memory://source"


def _as_zip(folder: Path) -> str:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.gz")):
            archive.write(file, file.relative_to(folder))
    return f"zip://::{path.as_uri()}"


def _stems(source: Source) -> set[str]:
    return {file.stem for file in source.list().files}


def _check(url: str, folder: Path, scratch: Path) -> None:
    """List, read a header, copy; the URL that the source gives opens the same source."""
    source = open_source(open_source(url).url)
    listing = source.list()
    assert {file.stem for file in listing.files} == _ALL
    assert listing.unreadable == {}
    again = {file.stem: file.identity for file in open_source(url).list().files}
    for file in listing.files:
        original = next(folder.rglob(file.name))
        source.copy_to(file, scratch / file.name)
        assert (scratch / file.name).read_bytes() == original.read_bytes()
        with source.open(file, start=1000) as stream:
            assert stream.read() == original.read_bytes()[1000:]
        assert file.size == original.stat().st_size
        assert again[file.stem] == file.identity
    facts = {file.stem: read_facts(partial(source.open, file), file.name) for file in listing.files}
    assert facts["ldfd01010_asn"].association is not None
    assert facts["ldfd01010_asn"].association.members == (
        "ldfd01vnq",
        "ldfd01vpq",
        "ldfd01vrq",
        "ldfd01vtq",
    )
    assert facts["ldfd01vnq_rawtag_a"].segments == ["FUVA"]


@pytest.mark.parametrize("make_url", [_as_path, _as_file_url, _as_memory, _as_zip])
def test_urls(make_url: Callable[[Path], str], folder: Path, tmp_path: Path) -> None:
    _check(make_url(folder), folder, tmp_path)


def test_http(web: str, folder: Path, tmp_path: Path) -> None:
    _check(web, folder, tmp_path)
    _check(f"{web}/", folder, tmp_path)


def test_a_server_that_knows_ranges_sends_the_rest_alone(
    folder: Path, serve: Callable[[Path], Any]
) -> None:
    server = serve(folder)
    server.ranges = True
    source = open_source(server.url)
    file = next(file for file in source.list().files if file.stem == "ldfd01010_asn")
    with source.open(file, start=file.size - 10) as stream:
        assert stream.read() == (folder / file.name).read_bytes()[-10:]
    assert server.sent == [10]


class _Shelf(Source):
    """A source of two pages, under an address of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def pages(self) -> Iterator[Listing]:
        for stem in ("ldfd01vpq_spt", "ldfd01vnq_spt"):
            name = f"{stem}.fits"
            yield Listing([SourceFile(f"{self.url}/{name}", name, stem, 4, stem)])

    @contextmanager
    def open(self, file: SourceFile, start: int = 0) -> Iterator[io.BufferedReader]:
        yield io.BufferedReader(io.BytesIO(file.stem[:4].encode()[start:]))


def test_sources_are_found_by_the_scheme_of_their_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(_classes(), "shelf", _Shelf)
    source = open_source("shelf:one")
    files = source.list().files
    assert [file.stem for file in files] == ["ldfd01vnq_spt", "ldfd01vpq_spt"]
    assert source.copy_to(files[0], tmp_path / "copy")[1] == 4
    assert (tmp_path / "copy").read_bytes() == b"ldfd"


def test_changed_files_have_another_identity(web: str, folder: Path) -> None:
    zipped = _as_zip(folder)
    sources = [open_source(url) for url in (str(folder), web, zipped)]
    before = [{file.stem: file.identity for file in source.list().files} for source in sources]
    path = folder / "visit" / "ldfd01vnq_spt.fits.gz"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))
    _as_zip(folder)
    after = [{file.stem: file.identity for file in source.list().files} for source in sources]
    for old, new in zip(before, after, strict=True):
        assert {stem for stem in _ALL if old[stem] != new[stem]} == {"ldfd01vnq_spt"}


def test_folder_that_cannot_be_read_is_named(folder: Path, serve: Callable[[Path], Any]) -> None:
    server = serve(folder)
    server.locked.add("visit")
    listing = open_source(server.url).list()
    assert [file.stem for file in listing.files] == ["ldfd01010_asn"]
    assert list(listing.unreadable) == [f"{server.url}/visit/"]
    assert "403" in listing.unreadable[f"{server.url}/visit/"]


_AS_ORDINARY_USER = """
import os, sys
from services.archive.sources import open_source
open_source(sys.argv[1]).list()  # everything is imported before the rights to do so may be gone
if os.getuid() == 0:
    os.setuid(65534)
listing = open_source(sys.argv[1]).list()
print([file.stem for file in listing.files], listing.unreadable)
"""
"""Permissions do not bind root."""


def test_local_folder_without_permission_is_named(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        copy = shutil.copytree(folder, Path(top) / "source")
        (copy / "visit").chmod(0)
        command = [sys.executable, "-c", _AS_ORDINARY_USER, str(copy)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        (copy / "visit").chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['ldfd01010_asn'] {'file://")
    assert "source/visit': " in done.stdout
    assert "Permission denied" in done.stdout


def test_an_archive_that_is_not_known_is_told_those_that_are() -> None:
    with pytest.raises(TransientError, match=r"eso is not a folder .* called mast, s3, cadc"):
        open_source("eso").list()


def test_no_folder_is_an_error(tmp_path: Path, folder: Path, web: str) -> None:
    for url in (tmp_path / "nowhere", folder / "ldfd01010_asn.fits.gz", f"{web}/nowhere"):
        with pytest.raises(TransientError, match="check its address"):
            open_source(str(url)).list()


def test_archive_that_is_none_is_an_error(folder: Path) -> None:
    for path in (folder / "ldfd01010_asn.fits.gz", folder / "nowhere.zip"):
        with pytest.raises(TransientError, match="check its address"):
            open_source(f"zip://::{path.as_uri()}")


def test_unknown_urls_are_refused() -> None:
    with pytest.raises(PermanentError, match=r"nonesuch.*file, s3, http"):
        open_source("nonesuch://data")


def test_every_version_is_listed_with_its_time(folder: Path) -> None:
    twin = folder / "LDFD01010_ASN.FITS"
    twin.write_bytes(b"")
    os.utime(twin, (1e9, 1e9))
    found = [file for file in open_source(str(folder)).list().files if file.stem == "ldfd01010_asn"]
    assert {file.name: Path(file.url).name for file in found} == {
        "ldfd01010_asn.fits": "LDFD01010_ASN.FITS",
        "ldfd01010_asn.fits.gz": "ldfd01010_asn.fits.gz",
    }
    assert [file.modified for file in found if file.name.endswith(".fits")] == [1e9]


@pytest.mark.parametrize("make_url", [_as_path, _as_memory, _as_zip])
def test_time_of_the_last_change_is_known(make_url: Callable[[Path], str], folder: Path) -> None:
    files = open_source(make_url(folder)).list().files
    assert all(file.modified is not None and file.modified > 1e9 for file in files)


def test_other_names_are_listed(folder: Path) -> None:
    for name in ("README.txt", "ldfd01vnq_spt (1).fits", "visit.zip"):
        (folder / name).write_bytes(b"1")
    assert [name_of(url) for url in open_source(str(folder)).list().others] == [
        "README.txt",
        "ldfd01vnq_spt (1).fits",
        "visit.zip",
    ]


def test_links(folder: Path, tmp_path: Path) -> None:
    (folder / "ldfd01vpq_spt.fits").symlink_to(tmp_path / "nowhere.fits")
    (folder / "loop").symlink_to(folder)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "ldfd01vrq_spt.fits").write_bytes(b"12345")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "ldfd01vtq_spt.fits").symlink_to(elsewhere / "ldfd01vrq_spt.fits")
    source = open_source(str(folder))
    files = {file.stem: file for file in source.list().files}
    assert set(files) == {*_ALL, "ldfd01vrq_spt", "ldfd01vtq_spt"}
    assert files["ldfd01vtq_spt"].size == 5
    os.utime(elsewhere / "ldfd01vrq_spt.fits", (1e9, 1e9))
    again = {file.stem: file for file in source.list().files}
    assert again["ldfd01vtq_spt"].identity != files["ldfd01vtq_spt"].identity


def test_hidden_files_and_folders_are_left_aside(folder: Path) -> None:
    (folder / ".snapshot").mkdir()
    (folder / ".snapshot" / "ldfd01vpq_spt.fits").write_bytes(b"1")
    (folder / ".ldfd01vrq_spt.fits").write_bytes(b"1")
    assert _stems(open_source(str(folder))) == _ALL


def _one(source: Source, stem: str) -> SourceFile:
    return next(file for file in source.list().files if file.stem == stem)


def test_errors_name_the_right_side(folder: Path, tmp_path: Path) -> None:
    source = open_source(str(folder))
    file = _one(source, "ldfd01vnq_spt")

    with pytest.raises(
        TransientError, match=r"the scratch folder .*nowhere did not take ldfd01vnq_spt"
    ):
        source.copy_to(file, tmp_path / "nowhere" / "copy.fits")
    with pytest.raises(
        TransientError, match=r"the scratch folder /dev did not take.*No space left"
    ):
        source.copy_to(file, Path("/dev/full"))
    with pytest.raises(OSError, match="of the caller"), source.open(file):
        raise OSError("an error of the caller")

    (folder / "visit" / file.name).unlink()
    with pytest.raises(TransientError, match=r"ldfd01vnq_spt\.fits\.gz cannot be read"):
        source.copy_to(file, tmp_path / "copy.fits")
    (folder / "visit" / file.name).mkdir()
    with pytest.raises(TransientError, match=r"ldfd01vnq_spt\.fits\.gz cannot be read"):
        source.copy_to(file, tmp_path / "copy.fits")


def test_connection_lost_in_the_middle_is_the_source_s_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for head in (True, False):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n"
                    )
                    if not head:
                        connection.sendall(b"x" * 1000)

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        file = SourceFile(
            f"{url}/ldfd01vnq_spt.fits", "ldfd01vnq_spt.fits", "ldfd01vnq_spt", 5000, ""
        )
        with pytest.raises(TransientError, match=r"ldfd01vnq_spt\.fits cannot be read"):
            open_source(url).copy_to(file, tmp_path / "copy.fits")


def test_file_that_still_grows_is_tried_again(folder: Path, tmp_path: Path) -> None:
    source = open_source(str(folder))
    file = _one(source, "ldfd01vnq_spt")
    with (folder / "visit" / file.name).open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(TransientError, match="still changing"):
        source.copy_to(file, tmp_path / "copy.fits")


def test_a_word_among_the_settings_is_an_archive_or_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        PermanentError, match=r"mats is neither a remote archive \(mast, s3, cadc\)"
    ):
        check_source("mats")
    (tmp_path / "mats").mkdir()
    for address in ("mats", "./away", "/away", "http://127.0.0.1:9/away"):
        check_source(address)  # what is away may come back
