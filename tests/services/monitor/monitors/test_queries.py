"""Queries of all monitors, on the schema that the ingestor fills."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy.dialects import postgresql

from services.monitor.framework.declaration import Inputs, Monitor, RowQuery
from services.monitor.framework.increments import find_parts
from services.monitor.framework.loading import load
from services.monitor.monitors import monitors
from shared.database.engine import Database
from shared.database.models.science import SCIENCE_TABLES, moments_of

_KEYS_OF_PARTS = {"levels": "FUVA 163", "years": "FUVA 158"}
"""Key of a part by the name of the parts, where these are no ranges of files."""


@pytest.mark.integration
@pytest.mark.parametrize("name", monitors())
async def test_a_database_without_rows_is_no_data(database: Database, name: str) -> None:
    monitor = monitors()[name]
    async with database.session() as session:
        inputs: Inputs = {key: await load(session, query) for key, query in monitor.inputs.items()}
        inputs = {
            **inputs,
            **{key: reference.read([]) for key, reference in monitor.references.items()},
        }
        inputs, kept = await find_parts(session, monitor, inputs)
    assert (monitor.compute(inputs).newest_mjd, kept) == (None, {})


def _queries(monitor: Monitor) -> Iterator[RowQuery]:
    yield from monitor.inputs.values()
    for name, parted in monitor.parts.items():
        yield from parted.rows(_KEYS_OF_PARTS.get(name, "0")).values()


@pytest.mark.parametrize("name", monitors())
def test_no_query_reads_times_that_are_not_believed(name: str) -> None:
    for query in _queries(monitors()[name]):
        text = str(query.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
        for model in SCIENCE_TABLES.values():
            for column in moments_of(model):
                if str(column) in text:
                    assert re.search(rf"{column} (NOT )?BETWEEN", text), text


def test_every_time_of_a_science_table_is_looked_at() -> None:
    known = {str(column) for model in SCIENCE_TABLES.values() for column in moments_of(model)}
    dated = {
        str(column)
        for model in SCIENCE_TABLES.values()
        for column in model.__table__.columns
        if column.info.get("unit") == "d" or column.name == "date"
    }
    assert dated - known == {
        "headers.proctime",
        "quality.doppzero",
    }  # when it was processed, and a phase
