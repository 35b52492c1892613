"""Files of datasets: where they are in the store, and what they are of."""

from dataclasses import dataclass

from sqlalchemy import SQLColumnExpression, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.datasets import FoundDataset
from services.monitor.queries.errors import NotFoundError
from shared.database.models.operations import File
from shared.store import StoredFile

__all__ = ["DatasetFile", "extra_file", "find_stored_file", "list_products", "spectrum_file"]

_SPECTRA = ("x1dsum", "x1d")
"""Suffixes of the products that a spectrum is read from, best first."""


@dataclass(frozen=True)
class DatasetFile(StoredFile):
    """A stored file of a dataset.

    Attributes
    ----------
    id
        Number of the file.
    run_id
        Run that made it; None for a raw file.
    rootname
        Rootname of its name, if it has one.
    suffix
        Kind of file, e.g. ``x1d``.
    """

    id: int
    run_id: int | None
    rootname: str | None
    suffix: str


async def _find(session: AsyncSession, *conditions: SQLColumnExpression[bool]) -> list[DatasetFile]:
    """Find files, in the order of their names."""
    query = select(
        File.path,
        File.name,
        File.size,
        File.sha256,
        File.id,
        File.run_id,
        File.rootname,
        File.suffix,
    )
    rows = await session.execute(query.where(*conditions).order_by(File.name))
    return [DatasetFile(*row) for row in rows]


async def find_stored_file(session: AsyncSession, file_id: int) -> StoredFile:
    """Find a file by its number.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    found = await _find(session, File.id == file_id)
    if not found:
        raise NotFoundError("unknown_file", f"no file {file_id}; a dataset's page lists its files")
    return found[0]


async def list_products(
    session: AsyncSession, dataset_id: int, run_id: int | None
) -> list[DatasetFile]:
    """List the products of a run of a dataset, or the current ones."""
    chosen = File.current if run_id is None else File.run_id == run_id
    return await _find(session, File.dataset_id == dataset_id, File.origin == "product", chosen)


async def extra_file(session: AsyncSession, run_id: int, suffix: str) -> DatasetFile | None:
    """Find what a recalibration left beside its products, by its suffix."""
    found = await _find(
        session, File.run_id == run_id, File.origin == "extra", File.suffix == suffix
    )
    return found[0] if found else None


async def spectrum_file(
    session: AsyncSession, dataset: FoundDataset, product: str | None, exposure: str | None
) -> DatasetFile:
    """Find the file that a spectrum is read from.

    Parameters
    ----------
    session
        Session to read in.
    dataset
        The dataset.
    product
        Suffix of the product; None for the best there is.
    exposure
        Rootname of the exposure; None for the one that the dataset was asked for by, or any.

    Raises
    ------
    NotFoundError
        If the dataset has none.
    """
    conditions = [
        File.dataset_id == dataset.id,
        File.origin == "product",
        File.current,
        File.suffix.in_([product] if product else _SPECTRA),
    ]
    if chosen := exposure or dataset.member:
        conditions.append(File.rootname == chosen.lower())
    files = await _find(session, *conditions)
    if not files:
        raise NotFoundError(
            "no_spectrum",
            f"{dataset.rootname} has no spectrum of that kind; its state is {dataset.record.state}",
        )
    return min(files, key=lambda file: _SPECTRA.index(file.suffix) if product is None else 0)
