"""The real MAST, S3 and CADC: what they list, and one small file of each."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from services.archive.catalogues import open_catalogue
from services.archive.catalogues.base import Access
from services.archive.downloads import Downloader
from shared.cos.association import read_association
from shared.fits import FitsFile, check_fits
from shared.settings import Settings
from shared.settings.archive import CATALOGUES

pytestmark = pytest.mark.live

_ASN = "ldfd01010_asn.fits"
_MEMBERS = ("ldfd01vnq", "ldfd01vpq", "ldfd01vrq", "ldfd01vtq")
_ADDRESSES = {"mast": "mast_url", "s3": "s3_url", "cadc": "cadc_url"}


@pytest.fixture(params=CATALOGUES)
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of an archive; where it cannot be reached the test skips."""
    found: str = request.param
    address = getattr(Settings().archive, _ADDRESSES[found])
    try:
        httpx.head(address, timeout=20.0)
    except httpx.TransportError as error:
        pytest.skip(f"{address} cannot be reached: {error}")
    return found


def test_entries_are_listed(name: str) -> None:
    # A bucket cannot be asked what is new.
    since = None if name == "s3" else datetime.now(UTC) - timedelta(days=60)
    page = next(open_catalogue(name, Settings().archive).entries(since))
    assert page
    assert {entry.dataset[0] for entry in page} == {"l"}
    assert all(entry.version for entry in page)
    assert any(entry.archived for entry in page)


def test_a_small_file_is_fetched(name: str, tmp_path: Path) -> None:
    settings = Settings().archive
    catalogue = open_catalogue(name, settings)
    files = {file.name: file for file in catalogue.files(["ldfd01010"])["ldfd01010"]}
    assert files.keys() >= {_ASN, *(f"{member}_rawtag_a.fits" for member in _MEMBERS)}
    assert files[_ASN].access is Access.PUBLIC
    remote = catalogue.remote(files[_ASN])
    with Downloader(tmp_path, settings).downloaded(remote, check_fits, threading.Event()) as path:
        found = read_association(FitsFile(lambda: path.open("rb"), path.name))
    assert set(found.members) == set(_MEMBERS)
