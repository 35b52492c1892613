"""Files of each archive: downloaded from where its catalogue says, or refused as it must be."""

import threading
from pathlib import Path

import pytest

from services.archive.catalogues import open_catalogue
from services.archive.catalogues.base import Access, ArchiveFile, product_uri
from services.archive.downloads import Downloader
from shared.errors import PermanentError
from shared.fits import check_fits
from shared.settings.archive import CATALOGUES
from simulator.archive.faults import FaultRule, Kind
from simulator.archive.server import running_archive
from tests.services.archive.catalogues.conftest import settings_at

_NAME = "ldfd01010_asn.fits"


def _fetch(name: str, url: str, file: ArchiveFile | None, parts: Path, token: str = "") -> bytes:
    """Return the bytes of a file: a listed one, where none is given."""
    settings = settings_at(url, **({"mast_token": token} if token else {}))
    catalogue = open_catalogue(name, settings)
    if file is None:
        (listed,) = catalogue.files(["ldfd01010"]).values()
        file = next(file for file in listed if file.name == _NAME)
    downloader = Downloader(parts, settings)
    with downloader.downloaded(catalogue.remote(file), check_fits, threading.Event()) as path:
        return path.read_bytes()


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_listed_file_is_downloaded(
    name: str, archive: str, association: Path, tmp_path: Path
) -> None:
    assert _fetch(name, archive, None, tmp_path) == (association / _NAME).read_bytes()


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_file_that_is_listed_and_not_there_is_said(
    name: str, archive: str, tmp_path: Path
) -> None:
    missing = "ldfd09010_asn.fits"
    file = ArchiveFile("ldfd09010", product_uri(missing), missing)
    with pytest.raises(PermanentError, match=rf"{missing} is listed by its source and not there"):
        _fetch(name, archive, file, tmp_path)


def test_exclusive_files_come_with_a_token_that_has_not_expired(
    association: Path, tmp_path: Path
) -> None:
    folder, parts = tmp_path / "data", tmp_path / "parts"
    folder.mkdir()
    (folder / _NAME).hardlink_to(association / _NAME)
    (folder / "archive.toml").write_text(
        '[exclusive]\nldfd01010 = 2100-01-01\n[[tokens]]\nvalue = "good"\n'
    )
    rules = [FaultRule(path="*Download*", kind=Kind.EXPIRED_TOKEN, request=3)]
    file = ArchiveFile("ldfd01010", product_uri(_NAME), _NAME, access=Access.EXCLUSIVE)
    with running_archive(folder, rules=rules) as url:
        with pytest.raises(PermanentError, match=r"is refused \(401\): these data need rights"):
            _fetch("mast", url, file, parts)
        assert _fetch("mast", url, file, parts, "good") == (association / _NAME).read_bytes()
        with pytest.raises(PermanentError, match=r"is refused \(401\)"):
            _fetch("mast", url, file, tmp_path / "others", "good")
