"""Discovery: which catalogue is asked when, what is wanted, and file lists."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog.testing
from sqlalchemy import select, text, update

from services.archive.catalogues.base import Access
from services.archive.discovery import Discovery
from services.archive.discovery.health import available
from shared.catalogues.selection import Selection
from shared.database.engine import Database
from shared.database.models.archive import (
    ArchiveSelection,
    CatalogueEntryRow,
    CatalogueFileRow,
    CatalogueHealth,
    CatalogueListing,
)
from shared.database.models.monitoring import Alert, AlertState
from shared.errors import TransientError
from shared.settings import ArchiveSettings
from shared.store import Store
from tests.services.archive.discovery.small_catalogue import SmallCatalogue, entry

pytestmark = pytest.mark.integration

_RAW = "lbgu17qnq_rawtag_a.fits"


def _discovery(
    database: Database, folder: Path, *catalogues: SmallCatalogue, **settings: object
) -> Discovery:
    return Discovery(
        database,
        catalogues,
        ArchiveSettings.model_validate(settings),
        Store(f"file://{folder}"),
    )


def _association() -> SmallCatalogue:
    catalogue = SmallCatalogue(
        "mast",
        entry("lbgu17010", association="lbgu17010"),
        entry("lbgu17qnq", association="lbgu17010"),
        entry("lbgu17qpq", association="lbgu17010", access=Access.EXCLUSIVE),
        entry("lbxx01010", proposal=15000),
    )
    catalogue.held = {
        "lbgu17010": ["lbgu17010_asn.fits", "lbgu17010_x1dsum.fits", _RAW],
        "lbgu17qnq": [_RAW, "lbgu17qnq_spt.fits", "lbgu17qnq_x1d.fits", "preview.jpg"],
        "lbxx01010": ["lbxx01010_asn.fits"],
    }
    return catalogue


async def _files(database: Database) -> dict[str, tuple[str, str]]:
    async with database.session() as session:
        found = (await session.execute(select(CatalogueFileRow))).scalars()
        return {file.name: (file.dataset, file.identity) for file in found}


async def _refusal(database: Database) -> str | None:
    async with database.session() as session:
        query = select(Alert.message).where(Alert.state != AlertState.RESOLVED)
        return (await session.execute(query)).scalar_one_or_none()


async def _age_listings(database: Database, by: timedelta) -> None:
    async with database.transaction() as session:
        row = CatalogueListing
        aged = {"started_at": row.started_at - by, "finished_at": row.finished_at - by}
        await session.execute(update(row).values(aged))


async def test_nothing_is_wanted_unless_it_is_said(database: Database, tmp_path: Path) -> None:
    catalogue = _association()
    assert await _discovery(database, tmp_path, catalogue).look()
    assert catalogue.asked == [None]
    assert await _files(database) == {}


async def test_files_of_what_is_wanted_are_listed(database: Database, tmp_path: Path) -> None:
    catalogue = _association()
    discovery = _discovery(database, tmp_path, catalogue, wanted={"proposals": [14933]})
    assert await discovery.look()
    # Those that everybody may have, and of each file one row whatever lists it.
    assert catalogue.asked == [None, ["lbgu17010", "lbgu17qnq"]]
    assert {name: dataset for name, (dataset, _) in (await _files(database)).items()} == {
        "lbgu17010_asn.fits": "lbgu17010",
        _RAW: "lbgu17qnq",
        "lbgu17qnq_spt.fits": "lbgu17qnq",
    }
    assert not await discovery.look()
    assert len(catalogue.asked) == 2


async def test_a_member_brings_its_association(database: Database, tmp_path: Path) -> None:
    catalogue = _association()
    catalogue.change("lbgu17qnq", target="OTHER")
    await _discovery(database, tmp_path, catalogue, wanted={"targets": ["oth*"]}).look()
    async with database.session() as session:
        wanted = select(CatalogueEntryRow.dataset).where(CatalogueEntryRow.wanted)
        found = set((await session.execute(wanted)).scalars())
    assert found == {"lbgu17010", "lbgu17qnq", "lbgu17qpq"}


async def test_a_new_delivery_is_another_file(database: Database, tmp_path: Path) -> None:
    catalogue = _association()
    discovery = _discovery(database, tmp_path, catalogue, wanted={"proposals": [14933]})
    await discovery.look()
    before = await _files(database)
    catalogue.change("lbgu17qnq", version="2", archived=datetime.now(UTC))
    await _age_listings(database, timedelta(seconds=700))
    assert await discovery.look()
    since, datasets = catalogue.asked[-2:]
    assert isinstance(since, datetime)
    assert timedelta(minutes=60) < datetime.now(UTC) - since < timedelta(minutes=90)
    assert datasets == ["lbgu17qnq"]
    after = await _files(database)
    assert {name for name in after if after[name] != before[name]} == ({_RAW, "lbgu17qnq_spt.fits"})


async def test_a_catalogue_that_is_down_is_left_alone(database: Database, tmp_path: Path) -> None:
    mast, cadc = _association(), _association()
    cadc.name = "cadc"
    mast.fault = TransientError("no answer for 30 s")
    discovery = _discovery(database, tmp_path, mast, cadc, wanted={"proposals": [14933]})
    with structlog.testing.capture_logs() as lines:
        assert await discovery.look()
    assert [line["event"] for line in lines if line.get("catalogue") == "mast"] == [
        "catalogue does not answer"
    ]
    assert mast.asked == [None]
    assert cadc.asked == [None, ["lbgu17010", "lbgu17qnq"]]
    assert await available(database, ["mast", "cadc"]) == ["cadc"]
    async with database.session() as session:
        health = await session.get_one(CatalogueHealth, "mast")
        errors = (await session.execute(select(CatalogueListing.error))).scalars().all()
    assert (health.error, health.last_answer) == ("no answer for 30 s", None)
    assert sorted(errors, key=str) == [None, "no answer for 30 s"]
    await discovery.look()
    assert len(mast.asked) == 1
    # Asked again, and all of it, when the time is over.
    mast.fault = None
    await _age_listings(database, timedelta(seconds=300))
    async with database.transaction() as session:
        await session.execute(text("UPDATE catalogue_health SET retry_at = now()"))
    with structlog.testing.capture_logs() as lines:
        assert await discovery.look()
    assert mast.asked == [None, None]
    assert "catalogue answers again" in [line["event"] for line in lines]
    assert len(cadc.asked) == 2


async def test_files_come_from_the_next_catalogue_that_has_them(
    database: Database, tmp_path: Path
) -> None:
    mast, cadc = _association(), SmallCatalogue("cadc")
    del mast.held["lbgu17qnq"]
    cadc.held = {"lbgu17qnq": [_RAW]}
    del mast.held["lbgu17010"]
    discovery = _discovery(database, tmp_path, mast, cadc, wanted={"proposals": [14933]})
    await discovery.look()
    assert cadc.asked == [["lbgu17010", "lbgu17qnq"]]
    assert set(await _files(database)) == {_RAW}
    # Nobody has any of the association, and nobody is asked again.
    await discovery.look()
    assert len(cadc.asked) == 1


async def test_file_lists_wait_for_who_is_down(database: Database, tmp_path: Path) -> None:
    mast, cadc = _association(), SmallCatalogue("cadc")
    discovery = _discovery(database, tmp_path, mast, cadc)
    await discovery.look()
    mast.fault = TransientError("no answer for 30 s")
    discovery = _discovery(database, tmp_path, mast, cadc, wanted={"proposals": [14933]})
    await discovery.look()
    await discovery.look()
    # Once when MAST failed, once without it, and never again.
    assert cadc.asked == [["lbgu17010", "lbgu17qnq"], ["lbgu17010", "lbgu17qnq"], None]
    mast.fault = None
    async with database.transaction() as session:
        await session.execute(text("UPDATE catalogue_health SET retry_at = now()"))
    await discovery.look()
    assert len(await _files(database)) == 3


async def test_old_listings_are_forgotten(database: Database, tmp_path: Path) -> None:
    discovery = _discovery(database, tmp_path, _association())
    await discovery.look()
    await _age_listings(database, timedelta(days=31))
    await discovery.look()
    async with database.session() as session:
        listing = (await session.execute(select(CatalogueListing))).scalar_one()
    assert datetime.now(UTC) - listing.started_at < timedelta(days=1)


async def test_another_setting_ends_the_one_before(database: Database, tmp_path: Path) -> None:
    catalogue = _association()
    await _discovery(database, tmp_path, catalogue, wanted={"proposals": [14933]}).look()
    wanted = {"proposals": [15000]}
    for _ in range(2):
        await _discovery(database, tmp_path, catalogue, wanted=wanted).look()
    async with database.session() as session:
        found = (await session.execute(select(ArchiveSelection))).scalars().all()
        names = select(CatalogueEntryRow.dataset).where(CatalogueEntryRow.wanted)
        assert list((await session.execute(names)).scalars()) == ["lbxx01010"]
    assert [(row.selection, row.ended_at is None) for row in found] == [
        ({"proposals": [14933]}, False),
        (wanted, True),
    ]


async def test_oldest_first(database: Database, tmp_path: Path) -> None:
    catalogue = _association()
    catalogue.change("lbgu17qnq", start=datetime(2020, 1, 1, tzinfo=UTC))
    settings = {"wanted": {"everything": True}, "wanted_order": "oldest"}
    await _discovery(database, tmp_path, catalogue, **settings).look()
    assert catalogue.asked[-1] == ["lbgu17qnq", "lbgu17010", "lbxx01010"]


async def test_everything_is_refused_where_it_does_not_fit(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = _association()
    monkeypatch.setattr(Store, "free_bytes", 1_000_000)
    discovery = _discovery(database, tmp_path, catalogue, wanted={"everything": True})
    with structlog.testing.capture_logs() as lines:
        await discovery.look()
        await discovery.look()
    refused = [line["reason"] for line in lines if "refused" in line["event"]]
    assert refused == [
        "everything is 15.0 MB, and the disk of the store has room for 1.0 MB; select less, or "
        "move the store to a larger disk"
    ]
    assert catalogue.asked == [None]
    message = f"COSMO_ARCHIVE__WANTED is refused: {refused[0]}"
    assert await _refusal(database) == message
    monkeypatch.setattr(Store, "free_bytes", 1_000_000_000)
    await discovery.look()
    assert await _refusal(database) is None


def test_selections_of_the_settings() -> None:
    assert ArchiveSettings().wanted is None
    found = ArchiveSettings.model_validate({"wanted": '{"proposals": [14933]}'})
    assert found.wanted == Selection(proposals=[14933])


async def test_listings_that_fail_are_tried_at_growing_intervals(
    database: Database, tmp_path: Path
) -> None:
    mast = _association()
    mast.fault = TransientError("its list changed meanwhile")
    discovery = _discovery(database, tmp_path, mast, catalogue_pause_seconds=300)
    asked = []
    for seconds in (0, 299, 2, 301, 300, 900, 400):
        await _age_listings(database, timedelta(seconds=seconds))
        async with database.transaction() as session:  # it answers others meanwhile
            await session.execute(update(CatalogueHealth).values(retry_at=None))
        await discovery.look()
        asked.append(len(mast.asked))
    assert asked == [1, 1, 2, 2, 3, 3, 4]  # after 300, 600 and 1200 s
