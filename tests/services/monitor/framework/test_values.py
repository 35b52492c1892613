"""Values are written block by block: only where something changed, and wholly there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, insert, select, text

from services.monitor.framework.declaration import Values
from services.monitor.framework.values import write_values
from shared.database.engine import Database
from shared.database.models.monitoring import MonitorRun, MonitorValue, Outcome
from shared.database.models.operations import File

pytestmark = pytest.mark.integration

_FILES = """
    WITH one AS (
        INSERT INTO datasets (rootname, kind, state, members, companions, missing, forced)
        VALUES ('ldaaaaaaq', 'exposure', 'ingested', '[]', '[]', '[]', false) RETURNING id
    )
    INSERT INTO files
    (id, dataset_id, origin, path, name, rootname, suffix, size, sha256, current, shown, problems,
      ingested_at)
    SELECT n, one.id, 'product', 'values', n || '.fits', 'ld' || n, 'corrtag_a', 1, '', true, true,
      '[]', now()
    FROM unnest(ARRAY[1, 2, 511, 512, 1998, 1999]) AS n, one
"""


def _values(quantity: str, found: Mapping[Any, tuple[float, float]]) -> Values:
    """Return the values by rootname: the file and the value."""
    count = len(found)
    nothing, texts = np.full(count, np.nan), np.full(count, None, dtype=object)
    files, values = np.array(list(found.values())).reshape(count, 2).T
    names = np.array(list(found), dtype=object)
    return Values(
        quantity=quantity,
        mjd=np.full(count, 58000.0),
        value=values,
        error=nothing,
        rootname=names,
        segment=texts,
        region=texts,
        hvlevel=nothing,
        life_adj=nothing,
        file_id=files,
        outlier=values > 5.0,
    )


class _Writer:
    """Runs of one monitor that write values."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, *values: Values) -> set[str | None]:
        """Write them; rootnames of what got the new run."""
        async with self._database.transaction() as session:
            row = {
                "monitor": "m",
                "outcome": Outcome.UPDATED,
                "generation": 0,
                "statistics": {},
                "versions": {},
                "seconds": 0.0,
            }
            run_id = (
                await session.execute(insert(MonitorRun).values(row).returning(MonitorRun.id))
            ).scalar_one()
            await write_values(session, "m", run_id, values)
            return set(
                (
                    await session.execute(
                        select(MonitorValue.rootname).where(MonitorValue.run_id == run_id)
                    )
                ).scalars()
            )

    async def found(self) -> set[tuple[Any, ...]]:
        columns = (
            MonitorValue.quantity,
            MonitorValue.rootname,
            MonitorValue.file_id,
            MonitorValue.value,
        )
        async with self._database.session() as session:
            return {tuple(row) for row in await session.execute(select(*columns))}


@pytest.fixture
async def writer(database: Database) -> _Writer:
    async with database.transaction() as session:
        await session.execute(text(_FILES))
    return _Writer(database)


_FIRST = {
    "a": (1.0, 1.0),
    "b": (511.0, 2.0),
    "c": (512.0, 3.0),
    "d": (1999.0, 4.0),
    "e": (np.nan, 6.0),
}


async def test_only_what_changed_is_written(writer: _Writer) -> None:
    assert await writer.write(_values("rate", _FIRST), _values("gap", _FIRST)) == set("abcde")
    first = await writer.found()
    assert len(first) == 10
    assert await writer.write(_values("rate", _FIRST), _values("gap", _FIRST)) == set()
    assert await writer.write(
        _values("rate", _FIRST | {"b": (511.0, 2.5)}), _values("gap", _FIRST)
    ) == {"b"}
    assert await writer.found() == first - {("rate", "b", 511, 2.0)} | {("rate", "b", 511, 2.5)}


async def test_values_follow_their_exposure_to_another_file(writer: _Writer) -> None:
    await writer.write(_values("rate", _FIRST))
    moved = _FIRST | {"a": (1998.0, 1.0), "e": (2.0, 6.0)}
    assert await writer.write(_values("rate", moved)) == {"a", "e"}
    assert {(name, file) for _, name, file, _ in await writer.found()} == {
        ("a", 1998),
        ("b", 511),
        ("c", 512),
        ("d", 1999),
        ("e", 2),
    }


async def test_values_that_are_no_longer_found_go(writer: _Writer) -> None:
    await writer.write(_values("rate", _FIRST), _values("gap", _FIRST))
    assert await writer.write(_values("rate", {name: _FIRST[name] for name in "bd"})) == set()
    assert {(quantity, name) for quantity, name, _, _ in await writer.found()} == {
        ("rate", "b"),
        ("rate", "d"),
    }


async def test_values_that_went_otherwise_come_back(writer: _Writer, database: Database) -> None:
    await writer.write(_values("rate", _FIRST))
    async with database.transaction() as session:
        await session.execute(delete(MonitorValue).where(MonitorValue.rootname.in_(["b", "d"])))
    assert await writer.write(_values("rate", _FIRST)) == {"b", "d"}
    async with database.transaction() as session:
        await session.execute(delete(File).where(File.id == 1999))
    assert await writer.write(_values("rate", _FIRST | {"d": (1998.0, 4.0)})) == {"d"}
    assert len(await writer.found()) == 5


@pytest.mark.parametrize("nothing", [{}, {"a": (1.0, np.nan)}], ids=["no values", "none finite"])
async def test_no_values_leave_none(
    writer: _Writer, nothing: dict[str, tuple[float, float]]
) -> None:
    assert await writer.write(_values("rate", nothing)) == set()
    await writer.write(_values("rate", _FIRST))
    assert await writer.write(_values("rate", nothing), _values("gap", nothing)) == set()
    assert await writer.found() == set()


async def test_value_that_two_files_have_is_that_of_the_newer(writer: _Writer) -> None:
    """Within a block and across blocks, in one group of values and in two.

    And it stays so in the next run.
    """
    twice = (
        _values("rate", {"a": (1.0, 1.0), "b": (511.0, 2.0)}),
        _values("rate", {"a": (1998.0, 3.0), "b": (2.0, 4.0)}),
    )
    assert await writer.write(*twice) == {"a", "b"}
    assert await writer.found() == {("rate", "a", 1998, 3.0), ("rate", "b", 511, 2.0)}
    assert await writer.write(*reversed(twice)) == set()


async def test_values_of_no_exposure_are_identified_by_their_time(writer: _Writer) -> None:
    nameless = {None: (np.nan, 1.0)}
    later = replace(_values("rate", nameless), mjd=np.array([58001.0]))
    assert await writer.write(_values("rate", nameless), later, later) == {None}
    assert len(await writer.found()) == 1
