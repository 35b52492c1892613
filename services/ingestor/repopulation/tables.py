"""Tables that stand beside those that readers see, made like them, until they take their place.

What a table is made of is asked of Postgres, so that nothing gets lost: keys, indexes, partitions,
comments, rights.
"""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["STAGING", "create_staged", "finish_staged", "take_place"]

STAGING = "repopulation"
"""Schema of the tables that are being filled."""

_PARTITIONED_BY = "SELECT pg_get_partkeydef(CAST(:table AS regclass))"
_PARTITIONS = """
    SELECT c.relname, c.relnamespace::regnamespace::text AS home, pg_get_expr(c.relpartbound,
      c.oid) AS bound
    FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = CAST(:table AS regclass) ORDER BY c.relname
"""
_CONSTRAINTS = """
    SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE conrelid = CAST(:table AS regclass) AND contype IN ('p', 'u', 'f') ORDER BY contype DESC,
      conname
"""
_INDEXES = """
    SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index AS i
    WHERE indrelid = CAST(:table AS regclass)
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
    ORDER BY indexrelid
"""
_PRIVILEGES = """
    SELECT format('GRANT %s ON %s TO %s', a.privilege_type, c.oid::regclass,
      coalesce(quote_ident(r.rolname), 'PUBLIC'))
    FROM pg_class AS c, aclexplode(c.relacl) AS a LEFT JOIN pg_roles AS r ON r.oid = a.grantee
    WHERE c.oid = CAST(:table AS regclass) AND a.grantee != c.relowner
"""


async def create_staged(connection: AsyncConnection, table: str) -> None:
    """Make an empty table like the one that readers see, with its partitions, without keys and
    indexes.
    """
    partitioning = (await _ask(connection, _PARTITIONED_BY, table))[0][0]
    suffix = f" PARTITION BY {partitioning}" if partitioning else ""
    like = f"LIKE public.{table} INCLUDING ALL EXCLUDING INDEXES"
    await connection.execute(text(f"CREATE TABLE {STAGING}.{table} ({like}){suffix}"))
    for name, _, bound in await _ask(connection, _PARTITIONS, table):
        await connection.execute(
            text(f"CREATE TABLE {STAGING}.{name} PARTITION OF {STAGING}.{table} {bound}")
        )


async def finish_staged(connection: AsyncConnection, table: str) -> None:
    """Give a filled table the keys and indexes of the one that readers see.

    A second time does nothing.

    They are built at once, which is cheaper than keeping them up while rows come. Rows of files
    that were forgotten since are left out; nobody writes into the table of files meanwhile.

    Parameters
    ----------
    connection
        Connection within a transaction.
    table
        Name of the table.
    """
    if await _ask(connection, _CONSTRAINTS, table, STAGING):
        return
    await connection.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
    for (definition,) in await _ask(connection, _INDEXES, table):
        await connection.execute(text(_staged_definition(definition, table)))
    await connection.execute(text("LOCK TABLE files IN SHARE ROW EXCLUSIVE MODE"))
    orphans = (
        f"DELETE FROM {STAGING}.{table} AS t WHERE NOT EXISTS (SELECT FROM files WHERE id = "  # noqa: S608
        "t.file_id)"
    )
    await connection.execute(text(orphans))
    for name, definition in await _ask(connection, _CONSTRAINTS, table):
        await connection.execute(
            text(f"ALTER TABLE {STAGING}.{table} ADD CONSTRAINT {name} {definition}")
        )
    await connection.execute(text(f"ANALYZE {STAGING}.{table}"))


def _staged_definition(definition: str, table: str) -> str:
    """Return the definition of an index, on the table beside.

    Postgres writes ``ON ONLY`` where there are partitions.
    """
    before, _, method = definition.partition(" USING ")
    return f"{before.partition(' ON ')[0]} ON {STAGING}.{table} USING {method}"


async def take_place(connection: AsyncConnection, table: str) -> None:
    """Let a finished table be the one that readers see.

    The old one is gone when the transaction ends.

    Parameters
    ----------
    connection
        Connection within a transaction.
    table
        Name of the table.
    """
    partitions = await _ask(connection, _PARTITIONS, table)
    privileges = await _ask(connection, _PRIVILEGES, table)
    sequence = (await _ask(connection, "SELECT pg_get_serial_sequence(:table, 'id')", table))[0][0]
    statements = [
        *([f"ALTER SEQUENCE {sequence} OWNED BY NONE"] if sequence else []),
        f"DROP TABLE public.{table}",
        f"ALTER TABLE {STAGING}.{table} SET SCHEMA public",
        *(f"ALTER TABLE {STAGING}.{name} SET SCHEMA {home}" for name, home, _ in partitions),
        *([f"ALTER SEQUENCE {sequence} OWNED BY public.{table}.id"] if sequence else []),
        *(grant for (grant,) in privileges),
    ]
    for statement in statements:
        await connection.execute(text(statement))


async def _ask(
    connection: AsyncConnection, query: str, table: str, schema: str = "public"
) -> list[Any]:
    return list((await connection.execute(text(query), {"table": f"{schema}.{table}"})).all())
