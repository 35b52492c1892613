"""Columns of queries, as monitors read them."""

import numpy as np
import pytest
from sqlalchemy import REAL, Boolean, Double, Integer, String, cast, column, select, values

from services.monitor.framework.declaration import RowQuery
from services.monitor.framework.loading import load
from shared.database.engine import Database

pytestmark = pytest.mark.integration


def _query(*rows: tuple[object, ...]) -> RowQuery:
    columns = (
        column("number", Double),
        column("count", Integer),
        column("flag", Boolean),
        column("name", String),
    )
    table = values(*columns, name="given", literal_binds=True).data(list(rows))
    return select(*table.c)


async def test_nulls_and_awkward_texts_are_kept(database: Database) -> None:
    query = _query(
        (1.5, 2, True, 'a "b", c'), (None, None, None, None), (3e300, 0, False, "two\nlines")
    )
    async with database.session() as session:
        found = await load(session, query)
    assert np.array_equal(found["number"], [1.5, np.nan, 3e300], equal_nan=True)
    assert np.array_equal(found["count"], [2, np.nan, 0], equal_nan=True)
    assert found["flag"].tolist() == [True, False, False]
    assert found["name"].tolist() == ['a "b", c', None, "two\nlines"]


async def test_one_column_that_is_null_is_a_row(database: Database) -> None:
    query = select(_query((None, 1, True, "a"), (2.0, 1, True, "a")).selected_columns.number)
    async with database.session() as session:
        assert np.array_equal((await load(session, query))["number"], [np.nan, 2.0], equal_nan=True)
        assert (
            len((await load(session, query.where(query.selected_columns.number > 5)))["number"])
            == 0
        )


async def test_single_precision_is_kept_to_the_last_bit(database: Database) -> None:
    exact = np.random.default_rng(6).normal(0.0, 1e3, 500).astype(np.float32)
    table = values(column("gain", REAL), name="given", literal_binds=True).data(
        [(float(one),) for one in exact]
    )
    query = select(cast(table.c.gain, REAL).label("gain"))
    async with database.session() as session:
        found = await load(session, query)
    assert found["gain"].dtype == np.float64
    assert np.array_equal(found["gain"], exact.astype(np.float64))
