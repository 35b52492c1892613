"""Products of the archive that come twice, change, or come beside raw data.

Files of one rootname.
"""

import gzip
from pathlib import Path

import pytest

from services.archive.scan import scan
from services.archive.sources import open_source
from services.ingestor.manual import add_file
from shared.jobs.events import Outbox
from tests.services.ingestor.test_products_of_the_archive import _copy, _Services, services

__all__ = ["services"]

pytestmark = pytest.mark.integration

_X1D = "ldfd01vnq_x1d.fits.gz"


async def _scans(services: _Services, count: int) -> list[int]:
    """Return how many jobs each scan brings."""
    found = []
    for _ in range(count):
        outbox = Outbox()
        await scan(services.database, open_source(str(services.folder)), outbox)
        found.append(len(list(outbox)))
    return found


async def test_a_newer_version_by_hand_is_shown(
    services: _Services, data_dir: Path, tmp_path: Path
) -> None:
    source = data_dir / "ldfd01010" / "archive" / _X1D
    newer = tmp_path / _X1D
    newer.write_bytes(gzip.compress(gzip.decompress(source.read_bytes()), 1))
    for path, shown in ((source, [True]), (newer, [False, True]), (source, [True, False])):
        await add_file(services.database, services.store, path)
        assert [
            row[0] for row in await services.rows("SELECT shown FROM files ORDER BY id")
        ] == shown


@pytest.mark.parametrize("by_hand_first", [True, False])
async def test_a_product_by_source_and_by_hand_is_shown_once(
    services: _Services, data_dir: Path, by_hand_first: bool
) -> None:
    folder = data_dir / "ldfd01010" / "archive"
    if by_hand_first:
        await add_file(services.database, services.store, folder / _X1D)
    _copy(folder, services.folder, "ldfd01vnq_x1d*")
    await services.work()
    if not by_hand_first:
        await add_file(services.database, services.store, folder / _X1D)
    assert len(await services.rows("SELECT 1 FROM files WHERE shown")) == 1


async def test_reports_of_one_name_in_another_case_are_versions(services: _Services) -> None:
    for name, text in (("a/181137b4.txt", "x"), ("b/181137B4.TXT", "xy")):
        (services.folder / name).parent.mkdir()
        (services.folder / name).write_text(text)
        assert (await _scans(services, 3))[1:] == [0, 0]


async def test_a_note_called_after_an_association_is_left_aside(
    services: _Services, data_dir: Path
) -> None:
    _copy(data_dir / "ldfd01010" / "raw", services.folder, "ldfd01010_asn*")
    (services.folder / "ldfd01010_asn.fits.gz").rename(services.folder / "HD12345_asn.fits.gz")
    (services.folder / "HD12345.txt").write_text("notes")
    assert (await _scans(services, 3))[1:] == [0, 0]


async def test_raw_data_that_a_source_no_longer_has_stay(
    services: _Services, data_dir: Path
) -> None:
    _copy(data_dir / "ldfd01010" / "raw", services.folder, "ldfd01vlq_*")
    await services.work()
    for path in services.folder.glob("*rawacq*"):
        path.unlink()
    for _ in range(2):
        await services.work()
    assert await services.rows("SELECT kind FROM datasets") == [("acquisition",)]
    shown = await services.rows(
        "SELECT a.rootname FROM acqs a JOIN files f ON f.id = file_id WHERE f.shown"
    )
    assert shown == [("ldfd01vlq",)]


async def test_products_are_fetched_once_while_raw_data_arrive(
    services: _Services, data_dir: Path
) -> None:
    folder = data_dir / "ldfd01010"
    _copy(folder / "raw", services.folder, "ldfd01010_asn*")
    _copy(folder / "archive", services.folder, "ldfd01vnq_x1d*")
    await services.work()
    for pattern in ("ldfd01vnq_rawtag_a*", "ldfd01vnq_spt*", "ldfd01vpq_spt*"):
        _copy(folder / "raw", services.folder, pattern)
        await services.work()
    assert await services.rows("SELECT count(*) FROM jobs WHERE stage = 'fetch'") == [(1,)]
