"""``python -m shared.database`` migrates the database that the settings name."""

import asyncio

from shared.database.engine import Database
from shared.database.schema import migrate
from shared.service import start_service

__all__ = ["migrate_configured"]


async def migrate_configured() -> None:
    """Bring the schema of the configured database to the newest revision."""
    database = Database(start_service("migrate").session_url)
    try:
        await migrate(database)
    finally:
        await database.dispose()


if __name__ == "__main__":
    asyncio.run(migrate_configured())
