"""``python -m shared.database`` migrates the database that the settings name."""

import asyncio

from shared.database.engine import DATABASE_ERRORS, Database
from shared.database.schema import migrate
from shared.database.start import refusing
from shared.errors import CosmoError
from shared.logs import get_logger
from shared.masking import mask_passwords
from shared.service import start_service

__all__ = ["main"]


async def _migrate(url: str) -> None:
    database = Database(url)
    try:
        with refusing("the URL of the settings", url):
            await migrate(database)
    finally:
        await database.dispose()


def main() -> None:
    """Bring the schema of the configured database to the newest revision."""
    url = start_service("migrate").session_url
    try:
        asyncio.run(_migrate(url))
    except CosmoError as error:
        get_logger().error("not migrated", error=str(error))
        raise SystemExit(1) from error
    except DATABASE_ERRORS as error:
        reason = f"Postgres does not do it at {mask_passwords(url)}: {str(error).splitlines()[0]}"
        get_logger().error("not migrated", error=reason)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
