"""Queries of all monitors, on the schema that the ingestor fills."""

import pytest

from services.monitor.monitors import monitors
from services.monitor.monitors.framework.loading import load
from services.monitor.monitors.framework.monitor import Inputs
from services.monitor.monitors.framework.parts import find_parts
from shared.database.engine import Database

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", monitors())
async def test_a_database_without_rows_is_no_data(database: Database, name: str) -> None:
    monitor = monitors()[name]
    async with database.session() as session:
        inputs: Inputs = {key: await load(session, query) for key, query in monitor.inputs.items()}
        inputs = {**inputs, **{key: reference.read([]) for key, reference in monitor.references.items()}}
        inputs, kept = await find_parts(session, monitor, inputs)
    assert (monitor.compute(inputs).newest_mjd, kept) == (None, {})
