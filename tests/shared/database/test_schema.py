"""Models and migrations agree."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from shared.database.base import Base
from shared.database.engine import Database
from shared.database.schema import is_current, migrate, require_current
from shared.errors import PermanentError

pytestmark = pytest.mark.integration


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata))


async def test_models_and_migrations_agree(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_outdated_schema_is_refused(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM alembic_version")
    with pytest.raises(PermanentError, match="cosmo migrate"):
        await require_current(database)
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0001')")
    await migrate(database)
    assert await is_current(database)
