"""Which files two runs of a dataset are compared by."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.datasets import find_dataset, member_of
from services.monitor.web.dependencies import Session
from services.monitor.web.error_responses import ApiError
from shared.cos.names import stem_of
from shared.database.models.operations import Dataset, File, Run

__all__ = ["CompareRuns", "Compared", "Pair", "find_events", "find_pair", "products_of"]

_PREFERENCE = ("x1dsum", "x1d", "flt", "corrtag", "csum")
"""Beginnings of the suffixes of the products that tell most of a run, best first."""

Pair = tuple[File, File]
Products = dict[str, File]


class Wanted:
    """Which runs of a dataset are compared, and by which product, as the address says it."""

    def __init__(
        self,
        rootname: str,
        second: Annotated[int, Query(description="Id of a run")],
        first: Annotated[
            int | None,
            Query(description="Id of the run it is compared with; default: the current one"),
        ] = None,
        product: Annotated[
            str | None,
            Query(
                pattern="^[a-z0-9_]+$",
                description="Suffix, e.g. x1d; default: the best one in both runs",
            ),
        ] = None,
        exposure: Annotated[
            str | None, Query(description="Rootname of the product; default: any")
        ] = None,
    ) -> None:
        self.rootname, self.runs, self.product = rootname, (first, second), product
        self.exposure = exposure.lower() if exposure else None


class Compared:
    """Two runs of a dataset that are compared, once they are found.

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

    def __init__(
        self,
        dataset: Dataset,
        wanted: Wanted,
        names: tuple[str, str],
        warnings: tuple[list[str], list[str]],
    ) -> None:
        self.dataset, self.runs, self.names, self.warnings = dataset, wanted.runs, names, warnings
        self.product, self.exposure = (
            wanted.product,
            wanted.exposure or member_of(dataset, wanted.rootname),
        )

    @property
    def query(self) -> str:
        """The same as the end of an address."""
        first, second = self.runs
        given = {
            "second": second,
            "first": first,
            "product": self.product,
            "exposure": self.exposure,
        }
        return urlencode({name: value for name, value in given.items() if value is not None})


async def find_runs(wanted: Annotated[Wanted, Depends()], session: Session) -> Compared:
    """Find the dataset and the runs that an address names.

    Raises
    ------
    ApiError
        404 if there is no such dataset, or it has no such run.
    """
    dataset = await find_dataset(session, wanted.rootname)
    names, warnings = [], []
    for run_id in wanted.runs:
        query = select(Run).where(
            Run.current if run_id is None else Run.id == run_id, Run.dataset_id == dataset.id
        )
        run = (await session.execute(query)).scalars().first()
        if run_id is not None and run is None:
            raise ApiError(
                404,
                "unknown_run",
                f"{dataset.rootname} has no run {run_id}; its page lists its runs",
            )
        names.append("current run" if run is None or run.current else f"run {run_id}")
        warnings.append(list(run.warnings) if run else [])
    return Compared(dataset, wanted, (names[0], names[1]), (warnings[0], warnings[1]))


CompareRuns = Annotated[Compared, Depends(find_runs)]


async def products_of(session: AsyncSession, compared: Compared) -> tuple[Products, Products]:
    """Find the products of both runs, by the stems of their names."""
    found = []
    for run_id in compared.runs:
        query = select(File).where(File.dataset_id == compared.dataset.id, File.origin == "product")
        query = query.where(File.current if run_id is None else File.run_id == run_id).order_by(
            File.name
        )
        found.append(
            {
                stem_of(file.name) or file.name: file
                for file in (await session.execute(query)).scalars()
            }
        )
    return found[0], found[1]


def find_pair(compared: Compared, products: tuple[Products, Products]) -> Pair:
    """Choose the product of both runs that tells most: where none is in both, the best spectrum of
    each.

    Raises
    ------
    ApiError
        404 if there is nothing to compare.
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
        raise ApiError(404, "no_product", f"no product {asked} is in both runs: {held}")
    one, other = (min(files, key=_rank) for files in spectra)
    return one, other


def _rank(file: File) -> int:
    known = (place for place, suffix in enumerate(_PREFERENCE) if file.suffix.startswith(suffix))
    return next(known, len(_PREFERENCE))


def find_events(compared: Compared, products: tuple[Products, Products]) -> list[tuple[Pair, Pair]]:
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
    found: dict[str, list[tuple[Pair, Pair]]] = {}
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
