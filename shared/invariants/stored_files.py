"""Invariants of the store.

Every file that the database knows is there as it was, and no other is.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.monitoring import Artifact
from shared.database.models.operations import File
from shared.database.models.references import UploadedReference
from shared.errors import PermanentError
from shared.invariants.violation import Violation
from shared.store import Store, StoredFile

__all__ = ["check_content", "check_orphans", "check_presence"]

_BATCH = 1000
_CHUNK = 1 << 20
_TABLES = (File, Artifact, UploadedReference)
_THERE = "a stored file is there with its size"
_CONTENT = "a stored file has its checksum"
_KNOWN = "the store holds no file that nobody knows"


@dataclass(frozen=True)
class _Row:
    """A file as a table has it."""

    id: int
    stored: StoredFile

    @property
    def place(self) -> str:
        return f"{self.stored.path}/{self.stored.name}"


async def check_presence(database: Database, store: Store) -> list[Violation]:
    """Look for files that are not in the store, or of another size.

    Parameters
    ----------
    database
        Database.
    store
        The store.
    """
    found: list[Violation] = []
    for table in _TABLES:
        last = 0
        while rows := await _rows(database, table, last):
            last = rows[-1].id
            # Files come and go while this looks: what the table no longer has is no violation.
            missing = await asyncio.to_thread(_missing, store, [row.stored for row in rows])
            found += [
                Violation(_THERE, row.place, missing[row.stored])
                for row in rows
                if row.stored in missing and await _is_there(database, table, row.id)
            ]
    return found


async def _rows(
    database: Database, table: type[File | Artifact | UploadedReference], after: int
) -> list[_Row]:
    query = select(table.id, table.path, table.name, table.size, table.sha256)
    async with database.session() as session:
        rows = await session.execute(query.where(table.id > after).order_by(table.id).limit(_BATCH))
        return [_Row(row.id, StoredFile(row.path, row.name, row.size, row.sha256)) for row in rows]


async def _is_there(
    database: Database, table: type[File | Artifact | UploadedReference], row_id: int
) -> bool:
    async with database.session() as session:
        return (
            await session.execute(select(table.id).where(table.id == row_id))
        ).first() is not None


def _missing(store: Store, files: Iterable[StoredFile]) -> dict[StoredFile, str]:
    """Return the files that are not as they were, and what is wrong."""
    folders: dict[str, dict[str, int]] = {}
    wrong = {}
    for file in files:
        if file.path not in folders:
            folders[file.path] = {entry.name: entry.size for entry in store.files(file.path)}
        size = folders[file.path].get(file.name)
        if size is None:
            wrong[file] = "it is not in the store"
        elif size != file.size:
            wrong[file] = f"it has {size} bytes in the store, and {file.size} by the database"
    return wrong


async def check_content(database: Database, store: Store, most: int | None) -> list[Violation]:
    """Read files that were not read for longest, and compare their checksums.

    Parameters
    ----------
    database
        Database.
    store
        The store.
    most
        How many; None for all.
    """
    query = select(File.id, File.path, File.name, File.size, File.sha256)
    async with database.session() as session:
        oldest = query.order_by(File.verified_at.asc().nulls_first(), File.id)
        rows = await session.execute(oldest if most is None else oldest.limit(most))
        files = [_Row(row.id, StoredFile(row.path, row.name, row.size, row.sha256)) for row in rows]
    found, good = [], []
    for row in files:
        problem = await asyncio.to_thread(_difference, store, row.stored)
        if problem is None:
            good.append(row.id)
        elif await _is_there(database, File, row.id):
            found.append(Violation(_CONTENT, row.place, problem))
    for start in range(0, len(good), _BATCH):
        some = good[start : start + _BATCH]
        async with database.transaction() as session:
            await session.execute(
                update(File).where(File.id.in_(some)).values(verified_at=func.now())
            )
    return found


def _difference(store: Store, file: StoredFile) -> str | None:
    digest = hashlib.sha256()
    try:
        with store.open(f"{file.path}/{file.name}") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except PermanentError as error:
        return str(error)
    if digest.hexdigest() == file.sha256:
        return None
    return f"its SHA-256 is {digest.hexdigest()}, and {file.sha256} by the database"


async def check_orphans(database: Database, store: Store, older_than: float) -> list[Violation]:
    """Look for files in the store that no table knows.

    Parameters
    ----------
    database
        Database.
    store
        The store.
    older_than
        Age from which a file counts, second: younger ones may be about to be recorded.
    """
    found: list[Violation] = []
    entries: list[tuple[str, str]] = []

    async def compare() -> None:
        async with database.session() as session:
            known = await _known(session, entries)
        found.extend(
            Violation(
                _KNOWN, f"{path}/{name}", "no table names it; a sweep removes what killed runs left"
            )
            for path, name in entries
            if (path, name) not in known
        )
        entries.clear()

    walk = store.walk(older_than)
    while (entry := await asyncio.to_thread(next, walk, None)) is not None:
        entries.append(entry)
        if len(entries) >= _BATCH:
            await compare()
    await compare()
    return found


async def _known(session: AsyncSession, entries: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    known: set[tuple[str, str]] = set()
    for table in _TABLES:
        places = tuple_(table.path, table.name)
        rows = await session.execute(
            select(table.path, table.name).where(
                places.in_([tuple_(literal(path), literal(name)) for path, name in entries])
            )
        )
        known |= {(path, name) for path, name in rows}
    return known
