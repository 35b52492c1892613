"""The schema's version: migrate to the newest, and refuse to work on an outdated one."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from shared.database.engine import Database, is_outage
from shared.errors import PermanentError
from shared.logs import get_logger

__all__ = [
    "alembic_config",
    "is_current",
    "migrate",
    "newest_revision",
    "require_current",
    "wait_until_current",
]

_RETRY_SECONDS = 2.0


def alembic_config(connection: Connection | None = None) -> Config:
    """Return the Alembic configuration of the migrations beside this module."""
    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.attributes["connection"] = connection
    return config


async def migrate(database: Database) -> None:
    """Bring the schema to the newest revision; no change where it is there already."""
    async with database.engine.connect() as connection:
        await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "head"))
        await connection.commit()


def newest_revision() -> str:
    """Return the revision of the schema that this code was written for."""
    return str(ScriptDirectory.from_config(alembic_config()).get_current_head())


async def is_current(database: Database) -> bool:
    """Return whether the schema is the one this code was written for."""
    async with database.engine.connect() as connection:
        found = await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )
    return found == newest_revision()


async def require_current(database: Database) -> None:
    """Refuse an outdated schema.

    Raises
    ------
    PermanentError
        If the schema is not the one this code was written for.
    """
    if not await is_current(database):
        raise PermanentError("the database schema is outdated; run `cosmo migrate` and start again")


async def wait_until_current(database: Database) -> None:
    """Wait for a Postgres that is down, then refuse an outdated schema.

    Raises
    ------
    PermanentError
        If the schema is not the one this code was written for.
    """
    while True:
        try:
            await require_current(database)
        except (DBAPIError, OSError) as error:
            if not is_outage(error):
                raise
            get_logger().warning(
                "waiting for Postgres", error=str(error), next_try_seconds=_RETRY_SECONDS
            )
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return
