"""Plans: what a selection amounts to."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.catalogues import ARCHIVE
from shared.catalogues.plans import make_plan, require_known, require_room
from shared.catalogues.selection import Selection
from shared.database.engine import Database
from shared.database.models.archive import (
    Access,
    CatalogueEntryRow,
    CatalogueFileRow,
    CatalogueListing,
    ListingKind,
)
from shared.database.models.operations import Dataset, File, SourceFile
from shared.errors import RefusedError

pytestmark = pytest.mark.integration

_NOW = datetime(2026, 5, 1, tzinfo=UTC)
_EVERYTHING = Selection(everything=True)


def _entry(dataset: str, **values: Any) -> CatalogueEntryRow:
    usual = {
        "proposal": 14933,
        "target": "NGC-4151",
        "configuration": "COS/FUV",
        "access": Access.PUBLIC,
        "files_due": False,
        "wanted": True,
        "source": "mast",
        "first_seen": _NOW,
    }
    return CatalogueEntryRow(dataset=dataset, **{**usual, **values})


def _file(name: str, size: int | None = 1000, **values: Any) -> CatalogueFileRow:
    usual = {"dataset": name.split("_")[0], "uri": f"mast:HST/product/{name}", "identity": "1"}
    return CatalogueFileRow(name=name, size=size, catalogue="mast", **{**usual, **values})


def _listing(**values: Any) -> CatalogueListing:
    usual = {"kind": ListingKind.FULL, "started_at": _NOW, "finished_at": _NOW}
    return CatalogueListing(catalogue="mast", **{**usual, **values})


def _stored(number: int, name: str) -> list[Any]:
    """Return a dataset that has a raw file in the store."""
    rootname = name.split("_")[0]
    file = File(
        dataset_id=number,
        origin="raw",
        path=f"raw/{rootname}",
        name=name,
        rootname=rootname,
        suffix="rawtag_a",
        size=1000,
        sha256="0" * 64,
    )
    return [Dataset(id=number, rootname=rootname, kind="exposure"), file]


async def _add(database: Database, *rows: Any) -> None:
    for row in rows:  # one after the other, as foreign keys are by number here
        async with database.transaction() as session:
            session.add(row)


async def test_datasets_are_counted_by_what_would_become_of_them(database: Database) -> None:
    await _add(
        database,
        _entry("lcoming01"),
        _file("lcoming01_rawtag_a.fits"),
        _file("lcoming01_spt.fits", 50),
        _entry("lheld0001"),
        _file("lheld0001_rawtag_a.fits"),
        *_stored(1, "lheld0001_rawtag_a.fits"),
        _entry("lagain001"),
        _file("lagain001_rawtag_a.fits", 300, identity="2"),
        *_stored(2, "lagain001_rawtag_a.fits"),
        SourceFile(
            source=ARCHIVE,
            stem="lagain001_rawtag_a",
            url="mast:HST/product/lagain001_rawtag_a.fits",
            name="lagain001_rawtag_a.fits",
            identity="1",
            size=1000,
            fetched_identity="1",
        ),
        _entry("lexcl0001", access=Access.EXCLUSIVE, files_due=True),
        _entry("lgone0001", missing_since=_NOW),
        _file("lgone0001_rawtag_a.fits"),
        _entry("lempty001"),
        _entry("lpoor0001"),
        _file("lpoor0001_spt.fits", None),
        _entry("lother001", proposal=1),
        _listing(),
        _listing(finished_at=datetime(2026, 6, 1, tzinfo=UTC), error="cut"),
    )
    async with database.session() as session:
        plan = await make_plan(session, [Selection(proposals=[14933])], 10_000)
    assert (plan.datasets, plan.coming, plan.held) == (7, 3, 1)
    assert (plan.exclusive, plan.withdrawn) == (1, 1)
    assert (plan.files, plan.bytes, plan.estimated) == (4, 1350, 0)
    assert (plan.incomplete, plan.incomplete_names) == (2, ["lempty001", "lpoor0001"])
    assert (plan.room, plan.fits, plan.listed_at, plan.unknown) == (10_000, True, _NOW, [])


async def test_what_was_not_listed_is_estimated_by_what_was(database: Database) -> None:
    await _add(
        database,
        _entry("lknown001"),
        _file("lknown001_rawtag_a.fits", 9000),
        _file("lknown001_spt.fits", 1000),
        *(_entry(f"lnew0000{n}", files_due=True) for n in range(3)),
        _entry("lnuv00001", files_due=True, configuration="COS/NUV"),
        _entry("lheld0001", files_due=True),
        *_stored(1, "lheld0001_rawtag.fits"),
    )
    async with database.session() as session:
        plan = await make_plan(session, [_EVERYTHING], None)
    assert (plan.datasets, plan.coming, plan.held, plan.estimated) == (6, 5, 1, 4)
    assert (plan.files, plan.bytes) == (2 + 3 * 2 + 3, 10_000 + 3 * 10_000 + 5_000_000)
    assert (plan.incomplete, plan.fits, plan.listed_at) == (0, True, None)


async def test_what_nobody_has_is_named(database: Database) -> None:
    selection = Selection(proposals=[14933, 99999], targets=["ngc-4151", "NOWHERE", "X*"])
    await _add(database, _entry("lknown001"))
    async with database.session() as session:
        require_known(await make_plan(session, [selection], None))  # before the first listing
    await _add(database, _listing())
    async with database.session() as session:
        plan = await make_plan(session, [selection], None)
    assert plan.unknown == ["proposal 99999", "target NOWHERE"]
    with pytest.raises(RefusedError, match="anything of proposal 99999, target NOWHERE; check"):
        require_known(plan)


async def test_everything_must_be_known_and_fit(database: Database) -> None:
    await _add(database, _entry("lknown001"), _file("lknown001_rawtag_a.fits", 3_000_000_000))
    async with database.session() as session:
        with pytest.raises(RefusedError, match="not known before the first full listing"):
            require_room(await make_plan(session, [_EVERYTHING], None))
    await _add(database, _listing())
    async with database.session() as session:
        require_room(await make_plan(session, [_EVERYTHING], None))
        require_room(await make_plan(session, [_EVERYTHING], 3_000_000_000))
        with pytest.raises(RefusedError, match=r"everything is 3\.0 GB, and .* room for 1\.0 MB"):
            require_room(await make_plan(session, [_EVERYTHING], 1_000_000))
