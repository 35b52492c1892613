"""The version of CalCOS that the calibrators publish."""

import pytest

from services.calibrator.installed import INSTALLED, publish_installed
from shared.calcos_version import publish_calcos_version, read_calcos_version
from shared.database.engine import Database

pytestmark = pytest.mark.integration


async def _read(database: Database) -> str | None:
    async with database.session() as session:
        return await read_calcos_version(session)


async def _publish(database: Database, version: str) -> None:
    async with database.transaction() as session:
        await publish_calcos_version(session, version)


async def test_the_version_that_was_published_last_counts(database: Database) -> None:
    assert await _read(database) is None
    await publish_installed(database)
    assert await _read(database) == INSTALLED
    await _publish(database, "99.0.0")
    assert await _read(database) == "99.0.0"
    await publish_installed(database)  # the upgrade is undone
    assert await _read(database) == INSTALLED
