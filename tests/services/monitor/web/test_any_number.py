"""Whatever number is in whatever column: every answer is given, and every monitor runs."""

import asyncio
import os
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Double, Integer, LargeBinary, SmallInteger, String, delete, insert, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from services.monitor.monitors import monitors
from services.monitor.web.app import create_app
from shared.cos.superpixels import pack_counts
from shared.database.base import Base
from shared.database.engine import Database
from shared.database.models.monitoring import Alert, MonitorRun, MonitorValue
from shared.database.models.operations import Dataset, File, Run
from shared.database.models.science import DERIVED_TABLES, SCIENCE_TABLES
from shared.database.schema import migrate
from shared.settings import Settings
from shared.store import Store
from shared.worker.broker import Messenger, make_broker
from tests.services.monitor.monitors.bench import run_monitor

pytestmark = pytest.mark.integration

_SECONDS = float(os.environ.get("COSMO_TEST_FUZZ_SECONDS", "30"))
"""Time for examples: each fills the tables, runs monitors and asks for everything."""

_FILES, _WHOLE, _RUN_AT_ONCE = 10, 4, 3
"""Files of an example, those of them whose rows are as they should be, and monitors that an example
runs.
"""

_CONTENT = pack_counts(np.array([7_000_000, 7_000_032]), np.array([3, 1]))

_VALUES: dict[str, Any] = {
    "segment": "FUVA",
    "detector": "FUV",
    "exptype": "EXTERNAL/SCI",
    "obsmode": "TIME-TAG",
    "obstype": "SPECTROSCOPIC",
    "opt_elem": "G130M",
    "cenwave": 1291,
    "region": "inner",
    "life_adj": 1,
    "hvlevel": 163,
    "hvlevela": 163,
    "hvlevelb": 163,
    "dethv": 163,
    "exptime": 500.0,
    "npix": 5_000_000,
    "counts": 200,
    "gain": 9.0,
    "x": 600,
    "y": 240,
    "abs_time": 57388.0,
    "latitude": 20.0,
    "longitude": 31.0,
    "filetype": "lampflash",
    "stim1_x": 390.0,
    "stim1_y": 36.0,
    "stim2_x": 15980.0,
    "stim2_y": 980.0,
    "stimrate": 30.0,
    "shutter": "Open",
    "dark": 1.2e-6,
    "saa_distance": 3000.0,
}
"""What columns have that monitors choose rows by."""

_OF_TABLES: dict[str, dict[str, Any]] = {
    "darks": {"detector": "FUVA"},
    "dark_counts": {"detector": "FUVA"},
    "sms": {"detector": "FUV"},
}

_OF_MONITOR = ("", "/runs", "/data", "/artifacts")
_FORMATS = ("csv", "votable", "fits", "parquet")
_PLACES = (
    "/",
    "/monitors",
    "/datasets",
    "/datasets/ldaa00aaq",
    "/api/v1/status",
    "/api/v1/monitors",
    "/api/v1/tables",
    "/api/v1/alerts",
    "/api/v1/datasets",
    "/api/v1/datasets/ldaa00aaq",
    "/api/v1/datasets/ldaa00aaq/timeline",
    "/api/v1/jobs",
    "/api/v1/failures",
    "/api/v1/calibrations",
    "/api/v1/references",
    *(
        f"/api/v1/tables/{name}?generation=all&sort=-id&limit=5"
        for name in (*SCIENCE_TABLES, *DERIVED_TABLES)
    ),
)


class _Bench:
    """The application, and monitors, on a database of their own."""

    def __init__(
        self, database: Database, messenger: Messenger, app: FastAPI, store: Store
    ) -> None:
        self.database, self.messenger, self.store = database, messenger, store
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.web = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    async def check(self, numbers: list[float], whole_numbers: list[int], seed: int) -> None:
        """Fill the tables with these numbers here and there, run some monitors, and ask for
        everything.
        """
        chance = random.Random(seed)
        names = chance.sample(sorted(monitors()), _RUN_AT_ONCE)
        await self._fill(chance, numbers, whole_numbers)
        for name in names:
            await run_monitor(self.database, self.messenger, self.store, name, seed)
        await self._spoil(chance, numbers, whole_numbers)
        model = chance.choice([*SCIENCE_TABLES.values(), *DERIVED_TABLES.values()])
        column = chance.choice(
            [column.name for column in model.__table__.columns if isinstance(column.type, Double)]
            or ["id"]
        )
        table = f"/api/v1/tables/{model.__tablename__}"
        places = [
            *_PLACES,
            f"{table}?format={chance.choice(_FORMATS)}&generation=all",
            *(f"/monitors/{name}" for name in names),
            *(f"/api/v1/monitors/{name}{rest}" for name in names for rest in _OF_MONITOR),
            *(f"/api/v1/monitors/{name}/data?format={chance.choice(_FORMATS)}" for name in names),
        ]
        for place in places:
            await self.get(place)
        await self._walk(
            f"{table}?sort={chance.choice('-+').strip('+')}{column}&limit=3&generation=all"
        )
        for name in names:
            for figure in (await self.get(f"/api/v1/monitors/{name}/figures")).json()["items"]:
                await self.get(f"/api/v1/monitors/{name}/figures/{figure['name']}?columns=1")

    async def get(self, place: str) -> httpx.Response:
        answer = await self.web.get(place)
        assert answer.status_code == 200, (place, answer.status_code, answer.text[:500])
        return answer

    async def _walk(self, place: str) -> None:
        """All pages of a table in the order of a column, of which every row is on one."""
        seen: list[int] = []
        following: str | None = place
        while following is not None:
            answer = await self.get(following)
            seen += [row["id"] for row in answer.json()["items"]]
            following = answer.links.get("next", {}).get("url")
        assert len(seen) == len(set(seen)), place

    async def _fill(
        self, chance: random.Random, numbers: list[float], whole_numbers: list[int]
    ) -> None:
        tables = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
        async with self.database.transaction() as session:
            await session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
            for number in range(_FILES):
                name = f"ldaa{number:02d}aaq"
                session.add(Dataset(id=number + 1, rootname=name, kind="exposure"))
                await session.flush()
                file = File(
                    id=number + 1,
                    dataset_id=number + 1,
                    origin="product",
                    path=f"products/{name}",
                    suffix="corrtag_a",
                    name=f"{name}_corrtag_a.fits",
                    rootname=name,
                    size=1,
                    sha256="2" * 64,
                    shown=True,
                )
                session.add(file)
            await session.flush()
            await self._insert(session, SCIENCE_TABLES.values(), chance, numbers, whole_numbers)

    async def _insert(
        self,
        session: AsyncSession,
        models: Iterable[type[Base]],
        chance: random.Random,
        numbers: list[float],
        whole_numbers: list[int],
    ) -> None:
        for model in models:
            rows = [
                {
                    column.name: _value(
                        model.__tablename__, column, number, chance, odd, whole_numbers
                    )
                    for column in model.__table__.columns
                }
                for number, odd in (
                    (number, numbers if number >= _WHOLE else []) for number in range(_FILES)
                )
            ]
            await session.execute(insert(model), rows)

    async def _spoil(
        self, chance: random.Random, numbers: list[float], whole_numbers: list[int]
    ) -> None:
        """Put numbers where runs of monitors and of CalCOS leave theirs."""
        async with self.database.transaction() as session:
            for model in DERIVED_TABLES.values():
                await session.execute(delete(model))
            await self._insert(session, DERIVED_TABLES.values(), chance, numbers, whole_numbers)
            run = {
                "dataset_id": 1,
                "job_id": 1,
                "attempt": 1,
                "calcos_version": "3.6.2",
                "inputs": {},
                "references": {},
                "switches": {},
                "randseeds": {},
                "trailer": "",
            }
            costs = {
                name: chance.choice(numbers)
                for name in ("wall_seconds", "cpu_seconds", "peak_rss_mb")
            }
            await session.execute(insert(Run).values(run | costs))
            for table, names in (
                (MonitorRun, ("newest_mjd", "seconds")),
                (MonitorValue, ("mjd", "value", "error")),
                (Alert, ("value", "threshold")),
            ):
                for name in names:
                    await session.execute(
                        text(f"UPDATE {table.__tablename__} SET {name} = :value WHERE id % 2 = 0"),
                        {"value": chance.choice(numbers)},
                    )


_Started = tuple[asyncio.Runner, _Bench]


def _value(
    table: str,
    column: Any,
    number: int,
    chance: random.Random,
    numbers: list[float],
    whole: list[int],
) -> Any:
    keys: dict[str, Any] = {
        "id": (number + 1) << 22,
        "file_id": number + 1,
        "rootname": f"ldaa{number:02d}aaq",
        "preferred": True,
        "exposure": f"exposure {number}" if table == "sms" else 25.0,
    }
    if column.name in keys and not isinstance(column.type, Double):
        return keys[column.name]
    odd = bool(numbers) and chance.random() < 0.3
    if isinstance(column.type, LargeBinary):
        return _CONTENT
    if isinstance(column.type, JSONB):
        return [{}]
    if odd and isinstance(column.type, Double):
        return chance.choice(numbers)
    if odd and isinstance(column.type, Integer):
        bits = 15 if isinstance(column.type, SmallInteger) else 63
        return max(-(2**bits), min(2**bits - 1, chance.choice(whole)))
    if "moment" in column.info:
        return 2016.0 if column.info["unit"] == "yr" else 57388.0 + number
    known = {**_VALUES, **keys, **_OF_TABLES.get(table, {})}.get(column.name)
    if type(known) is column.type.python_type:
        return known
    return (
        "X" if isinstance(column.type, String) else True if column.type.python_type is bool else 1
    )


@pytest.fixture
def bench(postgres: EmbeddedPostgres, valkey: EmbeddedValkey, tmp_path: Path) -> Iterator[_Started]:
    """Start the application, in a loop of its own."""
    with asyncio.Runner() as runner:
        database = Database(postgres.url)
        runner.run(migrate(database))
        broker = make_broker(valkey.url)
        store = Store(f"file://{tmp_path}/store")
        app = create_app(Settings(database_url=postgres.url, store_url=store.url))
        lifespan = app.router.lifespan_context(app)

        async def start() -> _Bench:
            await lifespan.__aenter__()
            return _Bench(database, Messenger(broker), app, store)

        async def stop() -> None:
            await lifespan.__aexit__(None, None, None)
            await database.dispose()

        made = runner.run(start())
        yield runner, made
        runner.run(made.web.aclose())
        runner.run(stop())
        broker.close()


def test_every_answer_is_given_whatever_the_number(bench: _Started) -> None:
    runner, made = bench
    end = time.monotonic() + _SECONDS

    @settings(
        max_examples=10_000,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(st.floats(width=64), min_size=1, max_size=6),
        st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
        st.integers(0, 2**31 - 1),
    )
    def check(numbers: list[float], whole_numbers: list[int], seed: int) -> None:
        if time.monotonic() < end:
            runner.run(made.check(numbers, whole_numbers, seed))

    check()
