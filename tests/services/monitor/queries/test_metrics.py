"""Metrics that there are once for a database: who serves them, and how often they are computed."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.monitor.queries import metrics as module
from services.monitor.queries.metrics import OF_DATABASE, DatabaseMetrics
from shared.database.engine import Database
from shared.database.models.archive import CatalogueHealth, CatalogueListing, ListingKind

pytestmark = pytest.mark.integration


class _Scraped:
    """Metrics of a database, asked as scrapes ask for them: by other threads."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.leads, self.computed = True, 0
        monkeypatch.setattr(module, "leads", lambda _lock: self.leads)
        reading = DatabaseMetrics._read

        async def read(metrics: DatabaseMetrics) -> Any:
            self.computed += 1
            return await reading(metrics)

        monkeypatch.setattr(DatabaseMetrics, "_read", read)
        self._registry = CollectorRegistry(auto_describe=True)
        self._registry.register(DatabaseMetrics(database, asyncio.get_running_loop(), ["fuv-dark"]))

    async def text(self) -> str:
        """Return the answer to a scrape."""
        return (await asyncio.to_thread(generate_latest, self._registry)).decode()


async def test_the_leader_serves_them_and_computes_once(
    seeded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    async with seeded.database.transaction() as session:
        session.add_all(
            [
                CatalogueHealth(catalogue="mast", last_answer=now),
                CatalogueHealth(catalogue="cadc", failing_since=now),
                CatalogueListing(
                    catalogue="mast", kind=ListingKind.FULL, started_at=now, finished_at=now
                ),
            ]
        )
    scraped = _Scraped(seeded.database, monkeypatch)
    answers = await asyncio.gather(*(scraped.text() for _ in range(20)))
    assert len(set(answers)) == 1
    assert scraped.computed == 1
    lines = answers[0].splitlines()
    for line in (
        'cosmo_jobs{stage="fetch",state="failed"} 1.0',
        'cosmo_datasets{state="calibrating"} 0.0',
        'cosmo_alerts_open{monitor="fuv-dark",severity="critical"} 0.0',
        'cosmo_last_scan_files{kind="seen"} 9.0',
        'cosmo_last_scan_files{kind="left_aside"} 2.0',
        "cosmo_last_scan_datasets 3.0",
        "cosmo_deliveries_waiting 0.0",
        'cosmo_subscriptions{state="enabled"} 0.0',
        'cosmo_catalogue_answers{catalogue="mast"} 1.0',
        'cosmo_catalogue_answers{catalogue="cadc"} 0.0',
    ):
        assert line in lines
    found = {line.split("{")[0].split()[0] for line in lines if not line.startswith("#")}
    assert found == set(OF_DATABASE)
    scraped.leads = False
    assert await scraped.text() == ""
    scraped.leads = True
    assert await scraped.text()
    assert scraped.computed == 2


async def test_without_postgres_they_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Database("postgresql+asyncpg://cosmo@127.0.0.1:1/cosmo")
    scraped = _Scraped(nowhere, monkeypatch)
    assert await scraped.text() == ""
    assert await scraped.text() == ""
    assert scraped.computed == 1  # an outage costs no more than the rest
    await nowhere.dispose()
