"""Choice of the rows that are shown where several files have them.

One file of each kind and rootname, one row of each rootname.

An exposure may belong to several datasets (the member of two associations), each of which has its
file. Readers see that of the newest run; of what no run made, the file that came last. What the
archive calibrated gives way to any run of CalCOS here.
"""

from collections.abc import Collection

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingestor.extractors import preferred_kinds
from shared.database.locks import ROOTNAMES
from shared.database.models.operations import File

__all__ = ["lock_rootnames", "mark_preferred", "show_newest"]

_LOCK = """
    SELECT pg_advisory_xact_lock(:space, key) FROM (
        SELECT DISTINCT hashtext(rootname) AS key FROM
          unnest(CAST(:rootnames AS text[])) AS rootname ORDER BY key
    ) AS keys
"""
_NEWEST = """
    SELECT DISTINCT ON (f.rootname, f.suffix) f.id FROM
      files AS f LEFT JOIN runs AS r ON r.id = f.run_id
    WHERE f.rootname = ANY(CAST(:rootnames AS text[]))
        AND (f.shown OR f.id = ANY(CAST(:ids AS bigint[])) OR (f.current AND
          f.ingested_at IS NOT NULL))
    ORDER BY f.rootname, f.suffix, coalesce(r.kind = 'archive', f.origin = 'product'),
        f.run_id DESC NULLS LAST, f.id DESC
"""
_MARK = """
    WITH ranked AS (
        SELECT t.id, rank() OVER (
            PARTITION BY t.rootname ORDER BY array_position(CAST(:kinds AS text[]), f.suffix)
        ) AS rank
        FROM {table} AS t JOIN files AS f ON f.id = t.file_id AND f.rootname = t.rootname
        WHERE f.shown AND f.suffix = ANY(CAST(:kinds AS text[])) AND {chosen}
    )
    UPDATE {table} AS marked SET preferred = :wanted
    FROM {table} AS t LEFT JOIN ranked ON ranked.id = t.id AND ranked.rank = 1
    WHERE marked.id = t.id AND t.preferred != :wanted AND (ranked.id IS NOT NULL) = :wanted AND
      {chosen}
"""


async def lock_rootnames(session: AsyncSession, rootnames: Collection[str]) -> None:
    """Let no other transaction change which rows of these rootnames readers see, until this one
    ends.

    Parameters
    ----------
    session
        Session within a transaction; where it takes the lock of the schedules too, that one first.
    rootnames
        Rootnames; datasets that share none of them do not wait for each other.
    """
    await session.execute(text(_LOCK), {"space": ROOTNAMES, "rootnames": list(rootnames)})


async def show_newest(
    session: AsyncSession, rootnames: Collection[str], ingested: Collection[int] = ()
) -> None:
    """Let readers see the newest file of each kind of some rootnames, and its rows.

    Parameters
    ----------
    session
        Session within a transaction that holds the lock of the rootnames.
    rootnames
        Rootnames.
    ingested
        Keys of files whose rows were just written, which count whether they are current or not.
    """
    roots = sorted(rootnames)
    found = await session.execute(text(_NEWEST), {"rootnames": roots, "ids": sorted(ingested)})
    newest = list(found.scalars())
    # The old ones first: an index sees to it that there is one.
    await session.execute(
        update(File)
        .where(File.rootname.in_(roots), File.shown, File.id.not_in(newest))
        .values(shown=False)
    )
    await session.execute(update(File).where(File.id.in_(newest), ~File.shown).values(shown=True))
    await mark_preferred(session, preferred_kinds(), roots)


async def mark_preferred(
    session: AsyncSession, tables: Collection[str], rootnames: Collection[str] | None = None
) -> None:
    """Bring the flags ``preferred`` to what the files that are shown say: of each rootname the rows
    of the best kind.

    Parameters
    ----------
    session
        Session within a transaction that holds the lock of the rootnames, or that of the tables.
    tables
        Tables, of `preferred_kinds`.
    rootnames
        Rootnames; None for all.
    """
    chosen = "true" if rootnames is None else "t.rootname = ANY(CAST(:rootnames AS text[]))"
    values = {} if rootnames is None else {"rootnames": sorted(rootnames)}
    for table in tables:
        kinds = list(preferred_kinds()[table])
        # The old ones first, as above.
        for wanted in (False, True):
            await session.execute(
                text(_MARK.format(table=table, chosen=chosen)),
                values | {"kinds": kinds, "wanted": wanted},
            )
