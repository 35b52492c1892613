"""Connections of commands.

The HTTP API or the database, those that are named or those started on this machine.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from cosmo.client import Client
from cosmo.launcher.embedded import EmbeddedPostgres
from cosmo.launcher.reaching import require_postgres
from shared.database.engine import Database
from shared.settings import get_settings
from shared.store import Store
from shared.urls import file_url

__all__ = ["connect", "database_and_store", "with_database"]

T = TypeVar("T")


def connect(url: str | None, data_dir: Path, token: str | None = None) -> Client:
    """Open a client.

    Parameters
    ----------
    url
        Address; None for that of the services that were started with `data_dir`.
    data_dir
        Folder of these.
    token
        Bearer token for another address.
    """
    return Client(url, token, data_dir=data_dir)


def database_and_store(data_dir: Path) -> tuple[str, str]:
    """Return the URLs of Postgres and of the store: as the environment says, else those of the
    ``cosmo up`` of a folder.

    Raises
    ------
    CosmoError
        If Postgres or the store does not answer there.
    """
    settings = get_settings()
    database, store = settings.session_url, settings.store_url
    given = settings.model_fields_set
    if "database_url" not in given:
        database = EmbeddedPostgres(data_dir).url
    if "store_url" not in given:
        store = file_url(data_dir.resolve() / "store")
    where = "COSMO_DATABASE_URL" if "database_url" in given else str(data_dir)
    advice = f"run `cosmo up --data-dir {data_dir}` in another terminal, or set COSMO_DATABASE_URL"
    asyncio.run(require_postgres(database, where, advice))
    Store(store).require()
    return database, store


def with_database(url: str, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    """Do something with a database."""

    async def run() -> T:
        database = Database(url)
        try:
            return await work(database)
        finally:
            await database.dispose()

    return asyncio.run(run())
