"""Readiness of a worker whose Postgres falls silent, or takes nothing."""

import asyncio

import pytest

from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import Database
from shared.worker import readiness as module
from shared.worker.broker import make_broker
from shared.worker.presence import keep_signing
from shared.worker.readiness import READY, Readiness
from tests.forwarder import forwarder

pytestmark = pytest.mark.integration


async def test_a_postgres_that_was_not_seen_lately_is_a_fault(
    database: Database,
    postgres: EmbeddedPostgres,
    valkey: EmbeddedValkey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LATELY_SECONDS", 0.2)
    monkeypatch.setattr(module, "_CHECK_SECONDS", 0.5)
    monkeypatch.setattr(module, "_UNWRITTEN_SECONDS", 1.0)
    broker = make_broker(valkey.url)
    async with forwarder(postgres._sockets / ".s.PGSQL.5432") as way:
        away = Database(f"postgresql://cosmo@127.0.0.1:{way.port}/postgres", pool_size=1)
        readiness = Readiness(away, broker)
        readiness.stage = READY
        signed = asyncio.Event()

        def note() -> None:
            readiness.note_written()
            signed.set()

        async def trouble() -> dict[str, str | None]:
            return {"paused": None, "fault": await readiness.fault()}

        signing = asyncio.ensure_future(keep_signing(away, "one", "archive", trouble, note))
        await asyncio.wait_for(signed.wait(), 10)
        signing.cancel()
        way.passing.clear()
        assert await readiness.fault() is None  # it was seen a moment ago
        await asyncio.sleep(0.3)
        assert "Postgres does not answer" in str(await readiness.fault())
        way.passing.set()
        await asyncio.sleep(1.0)
        assert "has taken no sign of life for" in str(await readiness.fault())
        readiness.note_written()
        assert await readiness.fault() is None
        await away.dispose()
    broker.close()
