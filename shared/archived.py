"""Products as the archive hands them out.

A generation of their own, which gives way to any run of CalCOS here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.cos.names import parse_name
from shared.database.models.operations import File, Run
from shared.files import find_or_add_file
from shared.fits import FitsFile, Header
from shared.recalibrations import make_current
from shared.store import StoredFile

__all__ = ["ArchivedProduct", "association_of", "keep_products", "read_product"]

_PROVENANCE = ("CAL_VER", "CRDS_CTX", "CRDS_VER", "OPUS_VER", "DATE")
"""Keywords that say how the archive made a product: version of CalCOS, context of its references,
when.
"""

_TRAILER = "trl"


@dataclass(frozen=True)
class ArchivedProduct:
    """A product of the archive in the store.

    Attributes
    ----------
    stored
        Where it is.
    provenance
        What its header says of how it was made, by keyword.
    trailer
        Text of a trailer file; empty for others.
    """

    stored: StoredFile
    provenance: dict[str, str]
    trailer: str


def association_of(header: Header) -> str:
    """Return the rootname of the association that a primary header names; empty outside any."""
    text = str(header.get("ASN_ID") or "").strip().lower()
    return "" if text in ("none", "n/a") else text


def read_product(path: Path, stored: StoredFile) -> ArchivedProduct:
    """Read what is kept of a product beside its rows.

    Parameters
    ----------
    path
        Local file.
    stored
        The same in the store.

    Raises
    ------
    PermanentError
        If it cannot be read.
    """
    file = FitsFile(lambda: path.open("rb"), path.name)
    header = file.headers[0]
    provenance = {
        key: str(header[key]).strip() for key in _PROVENANCE if header.get(key) is not None
    }
    lines = (
        file.lines(file.find(_TRAILER.upper()))
        if parse_name(stored.name).suffix == _TRAILER
        else []
    )
    return ArchivedProduct(stored, provenance, "\n".join(lines))


async def keep_products(
    session: AsyncSession,
    dataset_id: int,
    products: Sequence[ArchivedProduct],
    *,
    job: tuple[int, int] | None = None,
) -> tuple[Run, bool]:
    """Record products as the archive's generation of a dataset, and make it the current one if no
    run of CalCOS is.

    Parameters
    ----------
    session
        Session of a transaction.
    dataset_id
        The dataset.
    products
        All of the generation, where a job brought them; else what is added to it.
    job
        Key of the job and its attempt that brought them; None for files that somebody added.

    Returns
    -------
    Run, bool
        The record of the generation, and whether readers are to see it.
    """
    mine = (Run.dataset_id == dataset_id, Run.kind == "archive")
    newest = (
        await session.execute(select(Run).where(*mine).order_by(Run.id.desc()).limit(1))
    ).scalar_one_or_none()
    kept = newest is not None and (
        job is None or await _files_of(session, newest) == _checksums(products)
    )
    run = newest if newest is not None and kept else _new_run(dataset_id, job)
    session.add(run)
    run.provenance = {**run.provenance, **{one.stored.name: one.provenance for one in products}}
    versions = {str(found["CAL_VER"]) for found in run.provenance.values() if "CAL_VER" in found}
    run.calcos_version = ", ".join(sorted(versions)) or "unknown"
    trailers = [one.trailer for one in products if one.trailer and one.trailer not in run.trailer]
    run.trailer = "\n\n".join([*([run.trailer] if run.trailer else []), *trailers])
    await session.flush()
    for product in products:
        await _keep_file(session, run, product.stored)
    calibrated = select(Run.id).where(
        Run.dataset_id == dataset_id, Run.current, Run.kind == "calcos"
    )
    if (await session.execute(calibrated.limit(1))).first() is not None:
        return run, False
    await make_current(session, run)
    return run, True


def _checksums(products: Sequence[ArchivedProduct]) -> dict[str, str]:
    return {product.stored.name: product.stored.sha256 for product in products}


async def _files_of(session: AsyncSession, run: Run) -> dict[str, str]:
    found = await session.execute(select(File.name, File.sha256).where(File.run_id == run.id))
    return {row.name: row.sha256 for row in found}


def _new_run(dataset_id: int, job: tuple[int, int] | None) -> Run:
    job_id, attempt = job or (None, 1)
    return Run(
        dataset_id=dataset_id,
        job_id=job_id,
        attempt=attempt,
        kind="archive",
        current=False,
        calcos_version="",
        inputs={},
        references={},
        switches={},
        randseeds={},
        accepted_missing=[],
        warnings=[],
        provenance={},
        wall_seconds=0.0,
        cpu_seconds=0.0,
        peak_rss_mb=0.0,
        trailer="",
    )


async def _keep_file(session: AsyncSession, run: Run, stored: StoredFile) -> None:
    """Make a stored file one of a generation, in place of an earlier version of its name."""
    earlier = (File.run_id == run.id, File.name == stored.name, File.path != stored.path)
    await session.execute(update(File).where(*earlier).values(run_id=None, current=False))
    file = await find_or_add_file(session, stored, run.dataset_id, "product", current=False)
    file.run_id = run.id
    await session.flush()
