"""Two runs of a dataset, and the files that they are compared by."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.datasets import FoundDataset, find_dataset
from services.monitor.queries.errors import NotFoundError
from services.monitor.queries.files import DatasetFile, list_products
from shared.cos.names import stem_of
from shared.database.models.calibrations import Calibration
from shared.database.models.operations import Run

__all__ = [
    "ComparableRun",
    "ComparedRuns",
    "FilePair",
    "find_events",
    "find_pair",
    "find_runs",
    "list_comparable_runs",
    "products_of",
]

_PREFERENCE = ("x1dsum", "x1d", "flt", "corrtag", "csum")
"""Beginnings of the suffixes of the products that say most about a run, best first."""

FilePair = tuple[DatasetFile, DatasetFile]
Products = dict[str, DatasetFile]


@dataclass(frozen=True)
class ComparableRun:
    """A run that has products.

    Attributes
    ----------
    id
        Number of the run.
    current
        Whether its products are the current ones.
    calibration_id
        Recalibration that it belongs to, if it belongs to one.
    """

    id: int
    current: bool
    calibration_id: int | None


@dataclass(frozen=True)
class ComparedRuns:
    """Two runs of a dataset that are compared.

    Attributes
    ----------
    dataset
        The dataset.
    runs
        Ids of both; None for the current one.
    names
        What they are called.
    warnings
        Where each of them is not what its headers say.
    product
        Suffix of the product that is asked for; None for the best.
    exposure
        Rootname of the product; None for any.
    """

    dataset: FoundDataset
    runs: tuple[int | None, int | None]
    names: tuple[str, str]
    warnings: tuple[list[str], list[str]]
    product: str | None
    exposure: str | None


async def find_runs(
    session: AsyncSession,
    rootname: str,
    runs: tuple[int | None, int | None],
    product: str | None = None,
    exposure: str | None = None,
) -> ComparedRuns:
    """Find a dataset and two of its runs.

    Parameters
    ----------
    session
        Session to read in.
    rootname
        Rootname of the dataset, or of a member, whose products are compared then.
    runs
        Ids of both; None for the current one.
    product
        Suffix of the product; None for the best.
    exposure
        Rootname of the product; None for that of the member, or any.

    Raises
    ------
    NotFoundError
        If there is no such dataset, or it has no such run.
    """
    dataset = await find_dataset(session, rootname)
    (first, one), (second, other) = [await _run(session, dataset, run_id) for run_id in runs]
    exposure = exposure.lower() if exposure else dataset.member
    return ComparedRuns(dataset, runs, (first, second), (one, other), product, exposure)


async def _run(
    session: AsyncSession, dataset: FoundDataset, run_id: int | None
) -> tuple[str, list[str]]:
    """Find what a run is called, and its warnings."""
    query = select(Run.current, Run.warnings).where(
        Run.current if run_id is None else Run.id == run_id, Run.dataset_id == dataset.id
    )
    run = (await session.execute(query)).first()
    if run is None and run_id is not None:
        raise NotFoundError(
            "unknown_run", f"{dataset.rootname} has no run {run_id}; its page lists its runs"
        )
    name = "current run" if run is None or run.current else f"run {run_id}"
    return name, list(run.warnings) if run else []


async def list_comparable_runs(session: AsyncSession, dataset_id: int) -> list[ComparableRun]:
    """List the runs of a dataset that have products, newest first."""
    query = (
        select(Run.id, Run.current, Calibration.id)
        .outerjoin(Calibration, Calibration.run_id == Run.id)
        .where(Run.dataset_id == dataset_id, Run.error.is_(None))
        .order_by(Run.id.desc())
    )
    return [ComparableRun(*row) for row in await session.execute(query)]


async def products_of(session: AsyncSession, compared: ComparedRuns) -> tuple[Products, Products]:
    """Find the products of both runs, by the stems of their names."""
    first, second = [
        {
            stem_of(file.name) or file.name: file
            for file in await list_products(session, compared.dataset.id, run_id)
        }
        for run_id in compared.runs
    ]
    return first, second


def find_pair(compared: ComparedRuns, products: tuple[Products, Products]) -> FilePair:
    """Choose the product of both runs that says most: where none is in both, the best spectrum of
    each.

    Raises
    ------
    NotFoundError
        If there is nothing to compare.
    """
    first, second = (
        {
            stem: file
            for stem, file in files.items()
            if compared.product in (None, file.suffix)
            and compared.exposure in (None, file.rootname)
        }
        for files in products
    )
    both = [(first[stem], second[stem]) for stem in first if stem in second]
    if both:
        return min(both, key=lambda pair: _rank(pair[0]))
    spectra = [
        [file for file in files.values() if file.suffix.startswith("x1d")]
        for files in (first, second)
    ]
    if not all(spectra):
        asked = " ".join(
            filter(None, (compared.product, "of" if compared.exposure else "", compared.exposure))
        )
        held = "; ".join(
            f"the {name} has {', '.join(files) or 'none'}"
            for name, files in zip(compared.names, products, strict=True)
        )
        raise NotFoundError("no_product", f"no product {asked} is in both runs: {held}")
    one, other = (min(files, key=_rank) for files in spectra)
    return one, other


def _rank(file: DatasetFile) -> int:
    known = (place for place, suffix in enumerate(_PREFERENCE) if file.suffix.startswith(suffix))
    return next(known, len(_PREFERENCE))


def find_events(
    compared: ComparedRuns, products: tuple[Products, Products]
) -> list[tuple[FilePair, FilePair]]:
    """Find spectrum and events of one exposure, segment by segment: each as the two runs have them.

    Parameters
    ----------
    compared
        The runs; of the exposure that is named, else of the first that both have.
    products
        Products of both.

    Returns
    -------
    list
        Spectrum and events in the first run, and in the second one, for each segment that both
        have; none if no exposure has its x1d and a corrtag file in both runs.
    """
    first, second = products
    found: dict[str, list[tuple[FilePair, FilePair]]] = {}
    for stem, events in first.items():
        spectrum = f"{events.rootname}_x1d"
        if not events.suffix.startswith("corrtag") or stem not in second:
            continue
        if spectrum in first and spectrum in second:
            pairs = (first[spectrum], events), (second[spectrum], second[stem])
            found.setdefault(str(events.rootname), []).append(pairs)
    if compared.exposure not in (None, compared.dataset.rootname):
        return found.get(str(compared.exposure), [])
    return next(iter(found.values()), [])
