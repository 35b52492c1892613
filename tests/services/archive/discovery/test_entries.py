"""Listings, compared with what is known of a catalogue."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, text

from services.archive.catalogues.base import Access, IncompleteListingError
from services.archive.discovery.entries import list_entries
from shared.database.engine import Database
from shared.database.models.archive import CatalogueEntryRow, CatalogueListing
from shared.errors import TransientError
from tests.services.archive.discovery.small_catalogue import SmallCatalogue, entry

pytestmark = pytest.mark.integration


async def _list(
    database: Database,
    catalogue: SmallCatalogue,
    *,
    before: Sequence[str] = (),
    since: datetime | None = None,
) -> tuple[int, int, int, int]:
    found = await list_entries(database, catalogue, before, since, threading.Event())
    return found.entries, found.new, found.changed, found.missing


async def _rows(database: Database) -> dict[str, CatalogueEntryRow]:
    async with database.session() as session:
        found = (await session.execute(select(CatalogueEntryRow))).scalars()
        return {row.dataset: row for row in found}


async def _written(database: Database) -> dict[str, Any]:
    """Return the transaction that last wrote each entry."""
    async with database.session() as session:
        query = text("SELECT dataset, xmin::text FROM catalogue_entries")
        return {row.dataset: row.xmin for row in await session.execute(query)}


async def test_new_entries_are_written_as_the_catalogue_has_them(database: Database) -> None:
    public_from = datetime(2027, 1, 1, tzinfo=UTC)
    one = entry("lbgu17qnq", association="lbgu17010", public_from=public_from)
    catalogue = SmallCatalogue("mast", one, entry("lbgu17010"), entry("lbgu18010", ra=None))
    assert await _list(database, catalogue) == (3, 3, 0, 0)
    rows = await _rows(database)
    found = rows["lbgu17qnq"]
    assert (found.association, found.proposal, found.target) == ("lbgu17010", 14933, "NGC-4151")
    assert (found.ra, found.dec, found.configuration) == (182.6, 39.4, "COS/FUV")
    assert (found.public_from, found.access) == (public_from, Access.PUBLIC)
    assert (found.versions, found.delivery, found.source) == ({"mast": "1"}, 1, "mast")
    assert (found.files_due, found.wanted, found.missing_since) == (True, False, None)
    assert rows["lbgu18010"].ra is None
    async with database.session() as session:
        listing = (await session.execute(select(CatalogueListing))).scalar_one()
    assert (listing.catalogue, listing.kind, listing.entries, listing.error) == (
        ("mast", "full", 3, None)
    )


@pytest.mark.parametrize("target", ["A\tB", "A\nB\r", "\\N", "\\.", "Å\u00a0\\t", ""])
async def test_texts_are_kept_as_they_are(database: Database, target: str) -> None:
    await _list(database, SmallCatalogue("mast", entry("lbgu17010", target=target)))
    assert (await _rows(database))["lbgu17010"].target == target


async def test_unchanged_entries_are_not_written_again(database: Database) -> None:
    catalogue = SmallCatalogue("mast", *(entry(f"lbgu1{n}010") for n in range(5)))
    await _list(database, catalogue)
    before = await _written(database)
    catalogue.change("lbgu13010", version="2")
    assert await _list(database, catalogue) == (5, 0, 1, 0)
    after = await _written(database)
    assert {name for name in after if after[name] != before[name]} == {"lbgu13010"}
    row = (await _rows(database))["lbgu13010"]
    assert (row.versions, row.delivery, row.files_due) == ({"mast": "2"}, 2, True)


async def test_changed_details_and_rights_are_no_delivery(database: Database) -> None:
    catalogue = SmallCatalogue("mast", entry("lbgu17010", access=Access.EXCLUSIVE))
    await _list(database, catalogue)
    async with database.transaction() as session:
        await session.execute(text("UPDATE catalogue_entries SET files_due = false"))
    catalogue.change("lbgu17010", target="NGC-4151-N")
    assert await _list(database, catalogue) == (1, 0, 0, 0)
    row = (await _rows(database))["lbgu17010"]
    assert (row.target, row.delivery, row.files_due) == ("NGC-4151-N", 1, False)
    catalogue.change("lbgu17010", access=Access.PUBLIC)
    assert await _list(database, catalogue) == (1, 0, 0, 0)
    row = (await _rows(database))["lbgu17010"]
    assert (row.access, row.delivery, row.files_due) == (Access.PUBLIC, 1, True)


async def test_two_catalogues_do_not_take_turns(database: Database) -> None:
    mast = SmallCatalogue("mast", entry("lbgu17010", version="generated 1"))
    cadc = SmallCatalogue("cadc", entry("lbgu17010", version="md5 a", target="NGC4151"))
    await _list(database, mast)
    assert await _list(database, cadc, before=["mast"]) == (1, 0, 0, 0)
    row = (await _rows(database))["lbgu17010"]
    assert (row.source, row.target, row.delivery) == ("mast", "NGC-4151", 1)
    assert row.versions == {"mast": "generated 1", "cadc": "md5 a"}
    before = await _written(database)
    await _list(database, mast)
    await _list(database, cadc, before=["mast"])
    assert await _written(database) == before
    cadc.change("lbgu17010", version="md5 b")
    assert await _list(database, cadc, before=["mast"]) == (1, 0, 1, 0)


async def test_an_earlier_catalogue_takes_over(database: Database) -> None:
    bare = entry("lbgu17010", proposal=None, target="", access=Access.UNKNOWN)
    await _list(database, SmallCatalogue("s3", bare), before=["mast"])
    assert (await _rows(database))["lbgu17010"].source == "s3"
    assert await _list(database, SmallCatalogue("mast", entry("lbgu17010"))) == (1, 0, 0, 0)
    row = (await _rows(database))["lbgu17010"]
    assert (row.source, row.proposal, row.access) == ("mast", 14933, Access.PUBLIC)


async def test_only_a_full_listing_finds_what_is_missing(database: Database) -> None:
    catalogue = SmallCatalogue("mast", *(entry(f"lbgu1{n}010") for n in range(5)))
    await _list(database, catalogue)
    gone = catalogue.content.pop("lbgu12010")
    short = await _list(database, catalogue, since=datetime(2026, 1, 1, tzinfo=UTC))
    assert short == (4, 0, 0, 0)
    # Nor does one of a catalogue from which the entry is not.
    assert await _list(database, SmallCatalogue("s3", entry("lbgu11010")), before=["mast"]) == (
        (1, 0, 0, 0)
    )
    assert await _list(database, catalogue) == (4, 0, 0, 1)
    assert [name for name, row in (await _rows(database)).items() if row.missing_since] == [
        "lbgu12010"
    ]
    assert await _list(database, catalogue) == (4, 0, 0, 0)
    catalogue.content["lbgu12010"] = gone
    assert await _list(database, catalogue) == (5, 0, 0, 0)
    row = (await _rows(database))["lbgu12010"]
    assert (row.missing_since, row.files_due) == (None, True)


@pytest.mark.parametrize(
    ("problem", "message"),
    [("cut", "cut after"), ("shifted", "lbgu11010 twice"), ("empty", "lacks 5 of the 5 datasets")],
)
async def test_a_listing_that_is_not_believed_changes_nothing(
    database: Database, problem: str, message: str
) -> None:
    catalogue = SmallCatalogue("mast", *(entry(f"lbgu1{n}010") for n in range(5)))
    await _list(database, catalogue)
    before = await _written(database)
    catalogue.change("lbgu11010", version="2")
    if problem == "cut":
        catalogue.fault = IncompleteListingError("cut after 2 of 5")
    elif problem == "shifted":
        catalogue.content["lbgu12010"] = catalogue.content["lbgu11010"]
    else:
        catalogue.content.clear()
    with pytest.raises(IncompleteListingError, match=message):
        await _list(database, catalogue)
    assert await _written(database) == before


async def test_an_interrupted_listing_ends(database: Database) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(TransientError, match="interrupted"):
        await list_entries(database, SmallCatalogue("mast", entry("lbgu17010")), (), None, stop)
    assert await _rows(database) == {}
