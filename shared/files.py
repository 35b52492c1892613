"""Rows of the files in the store."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.cos.names import parse_name
from shared.database.models.operations import File
from shared.store import StoredFile

__all__ = ["file_row", "find_or_add_file"]


def file_row(stored: StoredFile, dataset_id: int, origin: str, **columns: Any) -> File:
    """Make the row of a stored file.

    Parameters
    ----------
    stored
        The file.
    dataset_id
        Dataset that it belongs to.
    origin
        ``raw``, ``product`` or ``extra``; an extra is none of COS's files, so that its name says no
        rootname.
    columns
        Values of further columns.
    """
    if origin != "extra":
        name = parse_name(stored.name)
        columns = {"rootname": name.rootname, "suffix": name.suffix} | columns
    return File(
        dataset_id=dataset_id,
        origin=origin,
        path=stored.path,
        name=stored.name,
        size=stored.size,
        sha256=stored.sha256,
        **columns,
    )


async def find_or_add_file(
    session: AsyncSession, stored: StoredFile, dataset_id: int, origin: str, **columns: Any
) -> File:
    """Find the row of a stored file, or add one as `file_row` makes it."""
    query = select(File).where(File.path == stored.path, File.name == stored.name)
    file = (await session.execute(query)).scalar_one_or_none()
    if file is None:
        file = file_row(stored, dataset_id, origin, **columns)
        session.add(file)
    return file
