"""Signs of life: what is at work, what pauses and what is away is said, and alarmed."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from shared.database.engine import Database
from shared.database.models.monitoring import Alert, AlertState
from shared.database.models.operations import Worker
from shared.worker.presence import keep_signing, read_workers, sign_off, write_worker_alerts

pytestmark = pytest.mark.integration


async def _sign(
    database: Database, name: str, service: str, paused: str | None = None, fault: str | None = None
) -> None:
    async def trouble() -> dict[str, str | None]:
        return {"paused": paused, "fault": fault}

    signing = asyncio.ensure_future(keep_signing(database, name, service, trouble))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        while True:
            async with database.session() as session:
                if any(
                    (w.name, w.paused, w.fault, w.away) == (name, paused, fault, False)
                    for w in await read_workers(session)
                ):
                    break
    signing.cancel()


async def _shift(database: Database, name: str, seconds: float) -> None:
    async with database.transaction() as session:
        shift = Worker.seen_at + timedelta(seconds=seconds)
        await session.execute(update(Worker).where(Worker.name == name).values(seen_at=shift))


async def _states(database: Database) -> dict[str, str]:
    async with database.session() as session:
        return {worker.name: worker.state for worker in await read_workers(session)}


async def _alerts(database: Database) -> list[tuple[str, AlertState]]:
    async with database.transaction() as session:
        await write_worker_alerts(session)
    async with database.session() as session:
        return [
            (alert.message, alert.state)
            for alert in (await session.execute(select(Alert).order_by(Alert.id))).scalars()
        ]


async def test_states(database: Database) -> None:
    await _sign(database, "archive", "archive")
    await _sign(database, "ingestor", "ingestor", paused="the store is full")
    await _sign(database, "monitor-worker", "monitor-worker", fault="the broker does not answer")
    for name, seconds in (("calibrator-1", -30), ("calibrator-2", 7200)):
        await _sign(database, name, "calibrator")
        await _shift(database, name, seconds)
    assert await _states(database) == {
        "archive": "at work",
        "calibrator-1": "away",
        "calibrator-2": "away",
        "ingestor": "paused",
        "monitor-worker": "faulty",
    }
    await _sign(database, "calibrator-1", "calibrator")
    await sign_off(database, "calibrator-2")
    await _sign(database, "ingestor", "ingestor")
    states = await _states(database)
    assert (states["calibrator-1"], states["ingestor"], "calibrator-2" in states) == (
        "at work",
        "at work",
        False,
    )


async def test_a_pause_is_an_alert_until_it_is_over(database: Database) -> None:
    await _sign(database, "ingestor", "ingestor", paused="the store is full")
    opened = [("ingestor: paused: the store is full", AlertState.OPEN)]
    assert await _alerts(database) == opened
    assert await _alerts(database) == opened
    await _sign(database, "ingestor", "ingestor")
    assert await _alerts(database) == [("ingestor: paused: the store is full", AlertState.RESOLVED)]


async def test_who_is_away_is_alarmed_and_forgotten_where_others_do_the_work(
    database: Database,
) -> None:
    for name in ("calibrator-1", "calibrator-2"):
        await _sign(database, name, "calibrator")
    await _shift(database, "calibrator-2", -60)  # as after a minute without Postgres
    assert await _alerts(database) == []
    await _shift(database, "calibrator-2", -60)
    opened = [("calibrator-2 gives no sign of life", AlertState.OPEN)]
    assert await _alerts(database) == opened
    await _shift(database, "calibrator-1", -6000)
    await _shift(database, "calibrator-2", -6000)
    assert len(await _alerts(database)) == 2
    assert len(await _states(database)) == 2
    await _sign(database, "calibrator-1", "calibrator")
    assert {state for _, state in await _alerts(database)} == {AlertState.RESOLVED}
    assert await _states(database) == {"calibrator-1": "at work"}
