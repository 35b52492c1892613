"""Tables that monitors make, in a real Postgres."""

import numpy as np
import pytest
from sqlalchemy import select, text

from services.monitor.framework.declaration import Columns
from services.monitor.framework.derived_tables import write_tables
from shared.database.engine import Database
from shared.database.models.science import GainTrend

pytestmark = pytest.mark.integration


def _trends(mjd: list[float], slope: float = 7.0) -> Columns:
    count = len(mjd)
    return {
        "id": np.arange(100, 100 + count),
        "mjd": np.array(mjd),
        "segment": np.full(count, "FUVA", dtype=object),
        **{
            name: np.full(count, 7.0)
            for name in ("dethv", "x", "y", "slope_error", "mjd_error", "intercept")
        },
        "slope": np.full(count, slope),
        "gains": np.array([6.0, np.nan, 7.0][:count]),
    }


async def _write(database: Database, columns: Columns) -> dict[str, int]:
    async with database.transaction() as session:
        return await write_tables(session, {"gain_trends": columns})


async def test_what_is_found_again_stays_and_the_rest_is_replaced(database: Database) -> None:
    assert await _write(database, _trends([60000.5, np.nan, 1.0])) == {"gain_trends": 3}
    async with database.session() as session:
        places = (
            await session.execute(text("SELECT id, ctid::text FROM gain_trends ORDER BY id"))
        ).all()
    assert await _write(database, _trends([60000.5, np.nan, 1.0])) == {}
    async with database.session() as session:
        assert (
            await session.execute(text("SELECT id, ctid::text FROM gain_trends ORDER BY id"))
        ).all() == places
    assert await _write(database, _trends([60000.5, 2.0])) == {"gain_trends": 2}
    async with database.session() as session:
        rows = (await session.execute(select(GainTrend).order_by(GainTrend.id))).scalars().all()
    assert [(row.id, row.mjd, row.segment, row.x, row.slope, row.gains) for row in rows] == [
        (100, 60000.5, "FUVA", 7, 7.0, 6),
        (101, 2.0, "FUVA", 7, 7.0, None),
    ]


async def test_no_rows_empty_the_table(database: Database) -> None:
    await _write(database, _trends([1.0, 2.0]))
    assert await _write(database, _trends([])) == {"gain_trends": 2}


async def test_a_table_of_files_is_refused(database: Database) -> None:
    async with database.transaction() as session:
        with pytest.raises(KeyError, match="darks"):
            await write_tables(session, {"darks": {}})
