"""Models and migrations agree."""

import pytest
from alembic import command
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from astropy.units import Unit
from sqlalchemy import Connection, select, text

from cosmo.launcher.embedded import EmbeddedPostgres
from shared.database.base import Base
from shared.database.engine import Database
from shared.database.models.operations import EVENT_SEQUENCE, Event, Run
from shared.database.models.science import DERIVED_TABLES, SCIENCE_TABLES
from shared.database.schema import alembic_config, is_current, migrate, require_current
from shared.errors import PermanentError

pytestmark = pytest.mark.integration


def _missing_operations(connection: Connection) -> str:
    """Return what migrations do not do, as the code of one that does it."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    operations = produce_migrations(context, Base.metadata).upgrade_ops
    assert operations is not None
    return "" if operations.is_empty() else render_python_code(operations)


# Without the fixture `database`, which empties the tables of the models.
async def test_models_and_migrations_agree(postgres: EmbeddedPostgres, schema: None) -> None:
    database = Database(postgres.url)
    async with database.engine.connect() as connection:
        missing = await connection.run_sync(_missing_operations)
    await database.dispose()
    if missing:
        pytest.fail(f"`upgrade` of a migration that is missing:\n\n{missing}", pytrace=False)


async def test_outdated_schema_is_refused_and_migrated_with_its_rows(database: Database) -> None:
    async with database.engine.connect() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0001"))
        await connection.execute(
            text(
                """
                INSERT INTO datasets (id, rootname, kind, state, members, companions, missing,
                  forced)
                VALUES (1, 'ldfd01010', 'association', 'calibrated', '[]', '[]', '[]', false);
                """
            )
        )
        await connection.execute(
            text(
                """
                INSERT INTO jobs (id, stage, dataset_id, fingerprint, queue, payload, state,
                  attempts)
                VALUES (1, 'calibrate', 1, 'f', 'calibrate', '{}', 'done', 2)
                """
            )
        )
        await connection.execute(
            text(
                "INSERT INTO events (name, dataset_id, detail) SELECT 'dataset.fetched', 1, '{}' "
                "FROM generate_series(1, 3)"
            )
        )
        await connection.execute(text("DELETE FROM events WHERE id = 3"))
        await connection.execute(
            text(
                """
                INSERT INTO runs (dataset_id, job_id, current, path, calcos_version, inputs,
                  "references", switches,
                    randseed, accepted_missing, exit_status, wall_seconds, cpu_seconds,
                      peak_rss_mb, trailer)
                VALUES (1, 1, true, 'products/x', '3.6.2', '{}', '{"LAMPTAB": {"keyword": "LAMPTAB",
                    "name": "x_lamp.fits", "sha256": "ab"}}', '{"x_rawtag_a.fits": {}}',
                    7, '[]', 0, 1, 1, 1, '')
                """
            )
        )
        await connection.commit()
    with pytest.raises(PermanentError, match="cosmo migrate"):
        await require_current(database)
    await migrate(database)
    assert await is_current(database)
    async with database.session() as session:
        run = (await session.execute(select(Run))).scalar_one()
        places = await session.execute(select(Event.id, Event.sequence).order_by(Event.id))
        assert [tuple(row) for row in places] == [(1, 1), (2, 2)]
        following = await session.scalar(select(EVENT_SEQUENCE.next_value()))
    assert (run.attempt, run.randseeds) == (2, {"x_rawtag_a.fits": 7})
    assert following == 4, "the place of a deleted event is not given again"
    assert run.references == {"x_lamp.fits": {"keyword": "LAMPTAB", "sha256": "ab"}}


async def test_rows_that_two_datasets_made_preferred_are_repaired(database: Database) -> None:
    """Of two shown files of a kind that of the newest run stays, and its rows.

    Of its kinds the best.
    """
    async with database.engine.connect() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0015"))
        for statement in _TWO_DATASETS:
            await connection.execute(text(statement))
        await connection.commit()
    await migrate(database)
    async with database.session() as session:
        shown = await session.execute(text("SELECT id FROM files WHERE shown ORDER BY id"))
        assert list(shown.scalars()) == [2, 3, 5]
        for table in ("headers", "quality", "apertures", "high_voltage"):
            preferred = await session.execute(
                text(f"SELECT file_id FROM {table} WHERE preferred ORDER BY id")
            )
            assert sorted(set(preferred.scalars())) == [2, 5]
        planned = await session.execute(text("SELECT report FROM sms WHERE preferred"))
        assert list(planned.scalars()) == ["181137b4"]


_TWO_DATASETS = (
    "INSERT INTO datasets (id, rootname, kind, state, members, companions, missing, forced) SELECT "
    "n, 'ldfd0' || n "
    "|| '010', 'association', 'ingested', '[]', '[]', '[]', false FROM generate_series(1, 2) AS n",
    "INSERT INTO jobs (id, stage, dataset_id, fingerprint, queue, trace, payload, state, attempts) "
    "SELECT n, 'calibrate', n, 'f', 'calibrate', '', '{}', 'done', 1 FROM generate_series(1, 2) AS "
    "n",
    "INSERT INTO runs (id, dataset_id, job_id, attempt, current, calcos_version, inputs, "
    '"references", switches, '
    "randseeds, accepted_missing, warnings, wall_seconds, cpu_seconds, peak_rss_mb, trailer) "
    "SELECT n, n, n, 1, true, "
    "'3.6.2', '{}', '{}', '{}', '{}', '[]', '[]', 1, 1, 1, '' FROM generate_series(1, 2) AS n",
    # The x1d of both, and a raw file that only the first has; another exposure's raw file of both.
    "INSERT INTO files (id, dataset_id, run_id, origin, path, name, rootname, suffix, size, "
    "sha256, current, shown) "
    "SELECT id, dataset_id, run_id, 'x', 'p' || id, rootname || '_' || suffix, rootname, suffix, "
    "1, '', true, true "
    "FROM (VALUES (1, 1, 1, 'ldfd01vnq', 'x1d'), (2, 2, 2, 'ldfd01vnq', 'x1d'), (3, 1, NULL, "
    "'ldfd01vnq', 'rawtag_a'), "
    "(4, 1, NULL, 'ldfd01vpq', 'rawtag_a'), (5, 2, NULL, 'ldfd01vpq', 'rawtag_a')) "
    "AS f (id, dataset_id, run_id, rootname, suffix)",
    *(
        f"INSERT INTO {table} (id, file_id, rootname, preferred) SELECT id, id, rootname, true "
        "FROM files"
        for table in ("headers", "quality", "apertures")
    ),
    "INSERT INTO high_voltage (id, file_id, rootname, segment, preferred) SELECT f.id * 2 + s, "
    "f.id, rootname, "
    "'FUV' || s, true FROM files AS f, generate_series(0, 1) AS s",
    "INSERT INTO sms (id, file_id, rootname, report, exposure, preferred) SELECT n, n, 'r', "
    "'181137b' || n + 2, 'e', "
    "true FROM generate_series(1, 2) AS n",
)


async def test_units_and_meanings_are_in_the_schema(database: Database) -> None:
    query = """
        SELECT c.relname, a.attname, col_description(c.oid, a.attnum) AS comment
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    """
    async with database.engine.connect() as connection:
        found = (await connection.exec_driver_sql(query)).mappings().all()
    comments = {(row["relname"], row["attname"]): row["comment"] for row in found}
    for table in (*SCIENCE_TABLES, *DERIVED_TABLES):
        for column in Base.metadata.tables[table].columns:
            comment = comments[table, column.name]
            assert comment, (table, column.name)
            if column.info.get("unit"):
                assert comment.endswith(f"[{column.info['unit']}]")
                Unit(column.info["unit"])


def test_every_index_has_a_purpose() -> None:
    for model in (*SCIENCE_TABLES.values(), *DERIVED_TABLES.values()):
        for index in model.__table__.indexes:  # type: ignore[attr-defined]
            by_key = [column.name for column in index.columns] in (["rootname"], ["file_id"])
            assert by_key or index.info["purpose"], index.name
