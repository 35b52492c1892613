"""Connections whose work is cancelled, and whose peer vanishes."""

import asyncio
import socket
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from asyncpg import connect_utils
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from cosmo.launcher.embedded import EmbeddedPostgres
from shared.database import engine
from shared.database.engine import DATABASE_ERRORS, Database, is_outage
from shared.keepalive import LOST_SECONDS, OPTIONS
from tests.forwarder import forwarder

pytestmark = pytest.mark.integration

_SLEEP = "SELECT pg_sleep(60)"


async def test_no_acknowledgement_of_a_cancelled_statement_is_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(**_: object) -> None:
        """Lose the request to cancel, as a proxy or a full server may."""

    async def work(
        block: AbstractAsyncContextManager[AsyncSession | AsyncConnection],
        begun: asyncio.Event,
        *,
        past_sqlalchemy: bool,
    ) -> None:
        async with block as owner:
            await owner.execute(text("SELECT 1"))
            begun.set()
            if past_sqlalchemy:
                session = isinstance(owner, AsyncSession)
                connection: Any = await owner.connection() if session else owner
                driver: Any = (await connection.get_raw_connection()).driver_connection
                await driver.execute(_SLEEP, timeout=60)
            else:
                await owner.execute(text(_SLEEP))

    async def cancel(
        block: AbstractAsyncContextManager[AsyncSession | AsyncConnection], *, past_sqlalchemy: bool
    ) -> None:
        begun = asyncio.Event()
        task = asyncio.ensure_future(work(block, begun, past_sqlalchemy=past_sqlalchemy))
        await begun.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=20)
        assert done, (block, past_sqlalchemy)
        assert task.cancelled()

    monkeypatch.setattr(connect_utils, "_cancel", lost)
    blocks = (
        database.session,
        database.transaction,
        database.autocommit,
        database.connection,
        database.direct,
    )
    await asyncio.gather(
        *(cancel(of(), past_sqlalchemy=way) for of in blocks for way in (False, True))
    )
    # the connections are not used again, and the pool has others
    async with database.session() as session:
        assert (await session.execute(text("SELECT 1"))).scalar() == 1


async def test_the_system_probes_the_peer_of_every_connection(postgres: EmbeddedPostgres) -> None:
    async with forwarder(postgres._sockets / ".s.PGSQL.5432") as way:
        database = Database(f"postgresql://cosmo@127.0.0.1:{way.port}/postgres")
        for of in (database.connection, database.direct):
            async with of() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                found = driver._transport.get_extra_info("socket")
                assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert {
                    option: found.getsockopt(socket.IPPROTO_TCP, option) for option in OPTIONS
                } == OPTIONS
        await database.dispose()
    assert LOST_SECONDS <= 20  # the lead is to move within 30 s


@pytest.mark.parametrize("fresh_seconds", [0.0, 60.0])
async def test_a_connection_that_was_idle_is_tried_before_it_is_used(
    database: Database, monkeypatch: pytest.MonkeyPatch, fresh_seconds: float
) -> None:
    """One that was used a moment ago is not; its failure shows, and the next one is another."""
    monkeypatch.setattr(engine, "_FRESH_SECONDS", fresh_seconds)
    async with database.session() as session:
        backend = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    async with database.direct() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})
    failures = 0
    for _ in range(2):
        try:
            async with database.session() as session:
                assert (await session.execute(text("SELECT 1"))).scalar() == 1
        except DATABASE_ERRORS as error:
            failures += is_outage(error)
    assert failures == (1 if fresh_seconds else 0)


async def test_each_statement_of_autocommit_is_a_transaction(database: Database) -> None:
    number = text("SELECT pg_current_xact_id()::text")
    async with database.autocommit() as session:
        first, second = [(await session.execute(number)).scalar() for _ in range(2)]
    assert first != second
    async with database.transaction() as session:
        first, second = [(await session.execute(number)).scalar() for _ in range(2)]
    assert first == second
