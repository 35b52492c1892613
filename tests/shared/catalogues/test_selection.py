"""Selections: what may be given, and which entries they mean."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from shared.catalogues.conditions import is_public, selected_datasets
from shared.catalogues.selection import Selection
from shared.database.engine import Database
from shared.database.models.archive import Access, CatalogueEntryRow

_NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "nothing is selected; give proposals"),
        ({"everything": True, "proposals": [1]}, "everything goes with nothing else"),
        ({"proposals": [0]}, "greater than or equal to 1"),
        ({"proposals": "a"}, "valid integer"),
        ({"targets": [""]}, "at least 1 character"),
        ({"dates": {"first": 0}}, "a time is written as ISO 8601"),
        ({"dates": {}}, "give the first date, the last, or both"),
        ({"dates": {"first": "2024-01-02", "last": "2024-01-01"}}, "exchange the dates"),
        ({"cone": {"ra": 0, "dec": False, "radius": 1}}, "not true or false"),
        ({"proposals": [True]}, "not true or false"),
        ({"cone": {"ra": 400, "dec": 0, "radius": 1}}, "less than 360"),
        ({"configuration": "COS/XUV"}, "'COS/FUV' or 'COS/NUV'"),
        ({"proposal": 1}, "Extra inputs"),
        ("evrything", "write everything, or a JSON object"),
    ],
)
def test_what_makes_no_sense_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Selection.model_validate(given)


def test_selections_are_described() -> None:
    found = Selection.model_validate(
        {
            "proposals": "14933, 15000",
            "cone": {"ra": 182.6, "dec": -39.4, "radius": 0.5},
            "dates": {"first": "2024-01-01"},
            "configuration": "COS/NUV",
        }
    )
    assert found.describe() == (
        "proposals 14933, 15000; within 0.5 deg of 182.6 -39.4; from 2024-01-01 00:00; COS/NUV"
    )
    assert Selection.model_validate(found.document()) == found
    assert Selection.model_validate("everything").describe() == "everything"


_ENTRIES: list[dict[str, Any]] = [
    {"dataset": "la", "association": "la", "proposal": 1, "target": "NGC-4151", "ra": 359.9},
    {"dataset": "lb", "association": "la", "proposal": 1, "target": "WAVE", "ra": 90.0},
    {"dataset": "lc", "proposal": 2, "target": "M_1", "ra": 0.2, "configuration": "COS/NUV"},
    {"dataset": "ld", "proposal": 3, "target": "MX1", "start": datetime(2024, 1, 1, tzinfo=UTC)},
    {"dataset": "le", "proposal": None, "ra": None},
]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("given", "datasets"),
    [
        ({"proposals": [2, 3]}, "lc ld"),
        ({"targets": ["ngc-4151"]}, "la lb"),
        ({"targets": ["wave"]}, "la lb"),
        ({"targets": ["m_*"]}, "lc"),
        ({"targets": ["m*1"]}, "lc ld"),
        ({"cone": {"ra": 0, "dec": 10, "radius": 0.25}}, "la lb lc"),
        ({"cone": {"ra": 0, "dec": 10.15, "radius": 0.18}}, "la lb"),
        ({"dates": {"first": "2023-12-31"}}, "ld"),
        ({"dates": {"first": "2023-12-31", "last": "2024-01-01"}}, ""),
        ({"configuration": "COS/NUV", "proposals": [2]}, "lc"),
        ({"configuration": "COS/NUV", "proposals": [1]}, ""),
        ({"everything": True}, "la lb lc ld le"),
    ],
)
async def test_entries_of_a_selection(
    database: Database, given: dict[str, Any], datasets: str
) -> None:
    usual = {"dec": 10.0, "source": "mast", "first_seen": _NOW}
    async with database.transaction() as session:
        session.add_all(CatalogueEntryRow(**{**usual, **values}) for values in _ENTRIES)
    async with database.session() as session:
        chosen = selected_datasets([Selection(**given)]).subquery()
        found = sorted((await session.execute(select(chosen.c.dataset))).scalars())
    assert found == datasets.split()


@pytest.mark.integration
async def test_who_may_have_an_entry(database: Database) -> None:
    rights = [
        (Access.PUBLIC, None),
        (Access.EXCLUSIVE, datetime(2020, 1, 1, tzinfo=UTC)),
        (Access.UNKNOWN, None),
        (Access.UNKNOWN, datetime(2020, 1, 1, tzinfo=UTC)),
        (Access.UNKNOWN, datetime(2100, 1, 1, tzinfo=UTC)),
    ]
    async with database.transaction() as session:
        session.add_all(
            CatalogueEntryRow(
                dataset=str(number),
                access=access,
                public_from=public_from,
                source="mast",
                first_seen=_NOW,
            )
            for number, (access, public_from) in enumerate(rights)
        )
    query = select(CatalogueEntryRow.dataset).where(is_public())
    async with database.session() as session:
        assert sorted((await session.execute(query)).scalars()) == ["0", "3"]
