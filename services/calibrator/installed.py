"""The CalCOS that is installed here."""

import asyncio
from importlib.metadata import version

from shared.calcos_version import publish_calcos_version
from shared.database.engine import DATABASE_ERRORS, Database
from shared.logs import get_logger

__all__ = ["INSTALLED", "publish_installed"]

INSTALLED = version("calcos")
"""Its version."""

_RETRY_SECONDS = 2.0


async def publish_installed(database: Database) -> None:
    """Publish the version, for the fingerprints of all work from now on.

    Waits for a Postgres that is away.
    """
    while True:
        try:
            async with database.transaction() as session:
                await publish_calcos_version(session, INSTALLED)
        except DATABASE_ERRORS as error:
            get_logger().warning("version of CalCOS not published", error=str(error))
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            get_logger().info("version of CalCOS published", calcos=INSTALLED)
            return
