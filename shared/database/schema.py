"""The schema's version: migrate to the newest, and refuse to work on an outdated one."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from shared.database.engine import Database
from shared.errors import PermanentError

__all__ = [
    "alembic_config",
    "is_current",
    "migrate",
    "newest_revision",
    "require_current",
]

_TABLE = text("SELECT to_regclass('alembic_version')::text")
_REVISIONS = text("SELECT version_num FROM alembic_version")
"""Where Alembic keeps the revision of a schema; a look of its own asks three times as much."""


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
    async with database.connection() as connection:
        await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "head"))
        await connection.commit()


@cache
def newest_revision() -> str:
    """Return the revision of the schema that this code was written for."""
    return str(ScriptDirectory.from_config(alembic_config()).get_current_head())


async def is_current(database: Database) -> bool:
    """Return whether the schema is the one this code was written for."""
    async with database.connection() as connection:
        if await connection.scalar(_TABLE) is None:
            return False
        found = (await connection.scalars(_REVISIONS)).all()
    return found == [newest_revision()]


async def require_current(database: Database) -> None:
    """Refuse an outdated schema.

    Raises
    ------
    PermanentError
        If the schema is not the one this code was written for.
    """
    if not await is_current(database):
        raise PermanentError("the database schema is outdated; run `cosmo migrate` and start again")
