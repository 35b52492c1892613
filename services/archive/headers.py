"""Headers of the files that a scan found new or changed."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select, text, update

from services.archive.listing import scan_transaction
from services.archive.metadata import FileMetadata, read_facts, visit_of
from services.archive.sources import Source, SourceFile
from shared.cos.names import is_product, parse_name
from shared.database.engine import Database
from shared.database.models.operations import SourceFile as SourceFileRow
from shared.errors import TransientError
from shared.finite_json import finite_json

__all__ = ["read_headers"]

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


async def read_headers(database: Database, source: Source, unreadable: dict[str, str]) -> int:
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


def _read(source: Source, rows: Sequence[SourceFileRow], unreadable: dict[str, str]) -> list[_Read]:
    read = []
    for row in rows:
        listed: Mapping[str, Any] = row.listed or {}
        file = SourceFile(row.url, row.name, row.stem, **listed)
        try:
            read.append(_Read(row, file, read_facts(source, file)))
        except TransientError as error:
            unreadable[row.url] = str(error)
    return read


async def _write(database: Database, source: Source, read: Sequence[_Read]) -> None:
    links: dict[str, set[str]] = defaultdict(set)
    for one in read:
        for visit in one.visits:
            links[visit] |= one.facts.visits - {visit}
    if not read:
        return
    table = SourceFileRow.__table__
    statement = update(SourceFileRow).where(table.c.id == bindparam("key"))
    async with scan_transaction(database) as session:
        connection = await session.connection()
        await connection.execute(
            statement.values(listed=None),
            [{"key": one.row.id, **one.values} for one in read],
        )
        if links:
            await session.execute(
                _MARK,
                [
                    {"source": source.url, "visit": visit, "links": finite_json(sorted(found))}
                    for visit, found in sorted(links.items())
                ],
            )
