"""Headers of the files that a scan found new or changed, or a fetch brought."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.archive.listing import scan_transaction
from services.archive.metadata import FileMetadata, read_facts, visit_of
from services.archive.sources import FileSource, SourceFile
from shared.cos.names import is_product, parse_name
from shared.database.engine import Database
from shared.database.models.operations import SourceFile as SourceFileRow
from shared.errors import TransientError
from shared.finite_json import finite_json

__all__ = ["read_headers", "write_facts"]

_SLICE = 500
"""Files of a transaction."""

_MARK = text("""
    INSERT INTO source_visits (source, visit, pending, links)
    VALUES (:source, :visit, 1, CAST(:links AS jsonb))
    ON CONFLICT (source, visit) DO UPDATE SET pending = source_visits.pending + 1,
      links = source_visits.links || excluded.links
""")


@dataclass(frozen=True)
class _Read:
    """A file that was read: its row before and after, and what its header says now."""

    row: SourceFileRow
    file: SourceFile
    facts: FileMetadata

    @property
    def is_changed(self) -> bool:
        """Whether the file itself is new or changed."""
        return not self.row.facts or self.row.identity != self.file.identity

    @property
    def is_product_in_vain(self) -> bool:
        """Whether it is a product that cannot be read."""
        return bool(self.facts.error) and is_product(parse_name(self.file.name))

    @property
    def values(self) -> dict[str, Any]:
        """Values of its row."""
        return {
            "identity": self.file.identity,
            "size": self.file.size,
            "modified": self.file.modified,
            "md5": self.file.md5,
            "visit": visit_of(parse_name(self.file.name).rootname),
            "facts": self.facts.to_dict(),
            "present": True,
        }

    @property
    def visits(self) -> set[str]:
        """Visits whose datasets it may change; none where its row stays as it is."""
        if all(getattr(self.row, name) == value for name, value in self.values.items()):
            return set()
        return {str(self.values["visit"]), self.row.visit}


async def read_headers(database: Database, source: FileSource, unreadable: dict[str, str]) -> int:
    """Read the headers that are to be read, and mark the visits of their files.

    A file that the source does not hand out counts as it was, and the next scan reads it.

    Parameters
    ----------
    database
        Database.
    source
        Source of the files.
    unreadable
        Receives the URL of each file that could not be read, and why.

    Returns
    -------
    int
        Number of files that are new or changed.
    """
    changed, last = 0, 0
    while True:
        async with database.session() as session:
            query = (
                select(SourceFileRow)
                .where(
                    SourceFileRow.source == source.url,
                    SourceFileRow.listed.is_not(None),
                    SourceFileRow.id > last,
                )
                .order_by(SourceFileRow.id)
                .limit(_SLICE)
            )
            rows = (await session.execute(query)).scalars().all()
        if not rows:
            return changed
        last = rows[-1].id
        read = await asyncio.to_thread(_read, source, rows, unreadable)
        await _write(database, source, read)
        changed += sum(one.is_changed and not one.is_product_in_vain for one in read)


def _read(
    source: FileSource, rows: Sequence[SourceFileRow], unreadable: dict[str, str]
) -> list[_Read]:
    def read(row: SourceFileRow) -> _Read | None:
        listed: Mapping[str, Any] = row.listed or {}
        file = SourceFile(row.url, row.name, row.stem, **listed)
        try:
            return _Read(row, file, read_facts(partial(source.open, file), file.name))
        except TransientError as error:
            unreadable[row.url] = str(error)
            return None

    with ThreadPoolExecutor(source.readers) as threads:
        return [one for one in threads.map(read, rows) if one is not None]


async def _write(database: Database, source: FileSource, read: Sequence[_Read]) -> None:
    links: dict[str, set[str]] = defaultdict(set)
    for one in read:
        for visit in one.visits:
            links[visit] |= one.facts.visits - {visit}
    if not read:
        return
    statement = update(SourceFileRow).where(SourceFileRow.__table__.c.id == bindparam("key"))
    async with scan_transaction(database) as session:
        connection = await session.connection()
        await connection.execute(
            statement.values(listed=None),
            [{"key": one.row.id, **one.values} for one in read],
        )
        await _mark(session, source.url, links)


async def write_facts(
    session: AsyncSession, source: str, read: Mapping[SourceFile, FileMetadata]
) -> None:
    """Write what the headers of files say that were read after they had come.

    Parameters
    ----------
    session
        Session of a transaction.
    source
        URL of the source.
    read
        The files, and what their headers say. One that is another file there by now is passed over.
    """
    links: dict[str, set[str]] = defaultdict(set)
    table = SourceFileRow.__table__
    for file, facts in read.items():
        same = (
            table.c.source == source,
            table.c.url == file.url,
            table.c.identity == file.identity,
        )
        visit = visit_of(parse_name(file.name).rootname)
        await session.execute(update(SourceFileRow).where(*same).values(facts=facts.to_dict()))
        links[visit] |= facts.visits - {visit}
    await _mark(session, source, links)


async def _mark(session: AsyncSession, source: str, links: Mapping[str, set[str]]) -> None:
    """Let visits be grouped again, with those that each is linked to."""
    if links:
        await session.execute(
            _MARK,
            [
                {"source": source, "visit": visit, "links": finite_json(sorted(found))}
                for visit, found in sorted(links.items())
            ],
        )
