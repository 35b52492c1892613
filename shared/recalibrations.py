"""Recalibrations: asked for, cancelled, promoted."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ARRAY, BigInteger, and_, any_, func, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.calcos_version import read_calcos_version
from shared.database.models.calibrations import Calibration
from shared.database.models.operations import (
    Attempt,
    Dataset,
    Event,
    File,
    Job,
    JobState,
    Run,
    Stage,
)
from shared.database.models.references import UploadedReference
from shared.errors import PermanentError
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, add_job, record_event
from shared.jobs.inputs import product_ingest_inputs, recalibration_inputs
from shared.jobs.operations import requeue
from shared.jobs.routing import CALIBRATED, NewJob, fingerprint
from shared.jobs.states import lock_datasets
from shared.recipes import Recipe

__all__ = ["cancel", "make_current", "pending", "promote", "request", "within_quota"]

_PENDING = (JobState.QUEUED, JobState.RUNNING)


async def pending(session: AsyncSession, name: str) -> int:
    """Count the recalibrations of a token that wait or run.

    Until the transaction ends, no other adds to them.

    One that was cancelled while it ran counts until its lease ends: a worker is at it until it
    notices.
    """
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"calibrations {name}"}
    )
    held = or_(
        Job.state.in_(_PENDING), and_(Job.state == JobState.DROPPED, Job.lease_until > func.now())
    )
    query = select(func.count()).select_from(Calibration).join(Job)
    return (await session.execute(query.where(Calibration.requested_by == name, held))).scalar_one()


async def within_quota(session: AsyncSession, job_ids: Sequence[int], most: int) -> list[int]:
    """Leave out the jobs of recalibrations that would be more than their token may have waiting or
    running.

    Parameters
    ----------
    session
        Session of a transaction; until it ends, nobody adds to the recalibrations of these tokens.
    job_ids
        Jobs that are to be requeued.
    most
        Recalibrations of one token that may wait or run at once.
    """
    wanted = literal(list(job_ids), ARRAY(BigInteger))
    query = select(Calibration.requested_by, Job.id).join(Job).where(Job.id == any_(wanted))
    rows = await session.execute(
        query.where(Job.state.not_in(_PENDING)).order_by(Calibration.requested_by, Job.id)
    )
    left_out: set[int] = set()
    for name, jobs in groupby(rows.all(), key=lambda row: row.requested_by):
        room = max(0, most - await pending(session, name))
        left_out.update(row.id for row in list(jobs)[room:])
    return [job_id for job_id in job_ids if job_id not in left_out]


async def request(
    session: AsyncSession,
    dataset: Dataset,
    recipe: Recipe,
    name: str,
    *,
    dry_run: bool = False,
    digests: Mapping[str, str | None] | None = None,
) -> tuple[Calibration, bool]:
    """Ask for a recalibration; the same recipe on the same inputs is the same one.

    One that failed or was cancelled is tried again, for who asks now. The dispatcher sends the
    message of its job.

    Parameters
    ----------
    session
        Session of a transaction.
    dataset
        Dataset.
    recipe
        How the run differs from the default.
    name
        Name of the token that asks.
    dry_run
        Whether only the changes are listed.
    digests
        SHA-256 of the reference files that it names, as far as this process sees them; those that
        were uploaded are known without.

    Returns
    -------
    Calibration, bool
        The recalibration, and whether it is new.

    Raises
    ------
    PermanentError
        If the dataset cannot be calibrated, or the recipe names exposures that it has not.
    """
    await lock_datasets(session, [dataset.id])
    depends_on = recalibration_inputs(
        await _default(session, dataset),
        calcos=await read_calcos_version(session),
        wavecals=await _wavecals(session, dataset, recipe),
        events=await _events(session, dataset, recipe),
        recipe=_by_content(
            recipe.canonical(), {**(digests or {}), **await _uploaded(session, recipe)}
        ),
        dry_run=dry_run,
    )
    _check_members(dataset, recipe)
    payload = {"recipe": recipe.canonical(), "dry_run": dry_run}
    job = NewJob(Stage.RECALIBRATE, payload, depends_on)
    job_id = await add_job(session, dataset.id, job, Outbox())
    if job_id is None:
        return await _known(session, dataset, fingerprint(depends_on), name), False
    await session.execute(update(Job).where(Job.id == job_id).values(sent_at=None))
    calibration = Calibration(
        dataset_id=dataset.id,
        job_id=job_id,
        recipe=recipe.canonical(),
        dry_run=dry_run,
        requested_by=name,
    )
    session.add(calibration)
    await session.flush()
    detail = {"calibration": calibration.id, "dry_run": dry_run, "by": name}
    await record_event(
        session, dataset.id, NewEvent(EventName.CALIBRATION_REQUESTED, detail), Outbox(), job_id
    )
    return calibration, True


async def _known(session: AsyncSession, dataset: Dataset, identity: str, name: str) -> Calibration:
    query = (
        select(Calibration)
        .join(Job)
        .where(Job.dataset_id == dataset.id, Job.stage == Stage.RECALIBRATE)
    )
    calibration = (await session.execute(query.where(Job.fingerprint == identity))).scalar_one()
    if await requeue(session, [calibration.job_id]):
        calibration.requested_by = name
    return calibration


async def _default(session: AsyncSession, dataset: Dataset) -> Any:
    """Find what the default calibration depends on: inputs, references, versions."""
    newest = (
        select(Event.detail)
        .where(Event.dataset_id == dataset.id, Event.name == EventName.DATASET_FETCHED)
        .order_by(Event.id.desc())
        .limit(1)
    )
    detail = (await session.execute(newest)).scalar_one_or_none()
    if dataset.kind not in CALIBRATED:
        raise PermanentError(
            f"{dataset.rootname} is of the kind {dataset.kind}, which CalCOS does not calibrate"
        )
    if detail is None:
        raise PermanentError(
            f"{dataset.rootname} is {dataset.state}: its raw files are not in the store yet; wait"
        )
    return detail.get("depends_on", {}).get(Stage.CALIBRATE, {})


async def _wavecals(session: AsyncSession, dataset: Dataset, recipe: Recipe) -> dict[str, str]:
    rootnames = recipe.members.wavecals
    query = select(File.rootname, File.name, File.sha256).where(
        File.rootname.in_(rootnames),
        File.origin == "raw",
        File.current,
        File.dataset_id != dataset.id,
    )
    found = (await session.execute(query)).all()
    if absent := sorted(set(rootnames) - {rootname for rootname, _, _ in found}):
        raise PermanentError(
            f"members.wavecals: no raw file of {', '.join(absent)} is in the store; have it fetched"
        )
    return {name: sha256 for _, name, sha256 in found}


async def _uploaded(session: AsyncSession, recipe: Recipe) -> dict[str, str]:
    """Find the checksums of the uploaded files that a recipe names, each for the keyword that it
    was uploaded for.
    """
    query = select(UploadedReference).where(UploadedReference.name.in_(recipe.files()))
    found = {upload.name: upload for upload in (await session.execute(query)).scalars()}
    for edits in (recipe, *recipe.exposures.values()):
        for keyword, name in edits.references.items():
            if name in found and found[name].keyword != keyword:
                raise PermanentError(
                    f"references.{keyword}: {name} was uploaded as {found[name].keyword}"
                )
    return {name: upload.sha256 for name, upload in found.items()}


def _by_content(document: dict[str, Any], digests: Mapping[str, str | None]) -> dict[str, Any]:
    """Let checksums stand for the reference files of a recipe: what counts is what is in them."""

    def edited(part: dict[str, Any]) -> dict[str, Any]:
        named = part.get("references", {})
        return {
            **part,
            "references": {keyword: digests.get(name) or name for keyword, name in named.items()},
        }

    exposures = {rootname: edited(part) for rootname, part in document.get("exposures", {}).items()}
    return {**edited(document), "exposures": exposures}


async def _events(session: AsyncSession, dataset: Dataset, recipe: Recipe) -> str | None:
    """Return the checksum of the calibrated events that a run starts from."""
    name = recipe.members.calibrated
    if name is None:
        return None
    query = select(File.sha256).where(
        File.dataset_id == dataset.id,
        File.origin == "product",
        File.current,
        File.name.in_([name, f"{name}.gz"]),
    )
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise PermanentError(
            f"members.file: {name} is not among the current products of {dataset.rootname}, which "
            f"is {dataset.state}; "
            "calibrate it first, with products that are kept (COSMO_CALIBRATOR__KEEP)"
        )
    return found


def _check_members(dataset: Dataset, recipe: Recipe) -> None:
    members = recipe.members
    known = {*dataset.members, dataset.rootname, *members.wavecals}
    named = {*members.drop, *recipe.exposures, *([members.single] if members.single else [])}
    if unknown := sorted(named - known):
        exposures = ", ".join(dataset.members) or dataset.rootname
        raise PermanentError(
            f"recipe: {', '.join(unknown)} not among the exposures, which are {exposures}"
        )


async def cancel(session: AsyncSession, calibration: Calibration, name: str) -> bool:
    """Stop a recalibration that waits or runs.

    A worker that is at it notices when it renews its lease.

    Returns
    -------
    bool
        Whether there was anything to stop.
    """
    await lock_datasets(session, [calibration.dataset_id])
    stopped = await session.execute(
        update(Job)
        .where(Job.id == calibration.job_id, Job.state.in_(_PENDING))
        .values(state=JobState.DROPPED, finished_at=func.now())
        .returning(Job.id)
    )
    if stopped.scalar_one_or_none() is None:
        return False
    await session.execute(
        update(Attempt)
        .where(Attempt.job_id == calibration.job_id, Attempt.finished_at.is_(None))
        .values(finished_at=func.now(), outcome="cancelled")
    )
    event = NewEvent(EventName.CALIBRATION_CANCELLED, {"calibration": calibration.id, "by": name})
    await record_event(session, calibration.dataset_id, event, Outbox(), calibration.job_id)
    return True


async def make_current(session: AsyncSession, run: Run) -> None:
    """Let the products of a run, and of no other run of its dataset, be the current ones."""
    await session.execute(
        update(Run).where(Run.dataset_id == run.dataset_id).values(current=Run.id == run.id)
    )
    products = (File.dataset_id == run.dataset_id, File.origin == "product")
    # One after the other: no two current files of a name may exist at any moment.
    await session.execute(update(File).where(*products, File.current).values(current=False))
    await session.execute(update(File).where(*products, File.run_id == run.id).values(current=True))


async def promote(
    session: AsyncSession, calibration: Calibration, name: str, outbox: Outbox
) -> None:
    """Make the products of a recalibration the current ones of its dataset, and have them ingested.

    They stay so until the dataset's inputs or references change and it is calibrated again.

    Raises
    ------
    PermanentError
        If it has no good run.
    """
    run = await session.get(Run, calibration.run_id) if calibration.run_id else None
    if run is None:
        raise PermanentError(
            f"calibration {calibration.id} has no products; only one that is done can be promoted"
        )
    await lock_datasets(session, [run.dataset_id])
    await make_current(session, run)
    calibration.promoted_at, calibration.promoted_by = func.now(), name
    files = await session.execute(
        select(File.name, File.sha256)
        .where(File.run_id == run.id, File.origin == "product")
        .order_by(File.name)
    )
    products = {file.name: file.sha256 for file in files}
    detail = {
        "products": products,
        "calcos_version": run.calcos_version,
        "calibration": calibration.id,
        "by": name,
        "depends_on": {Stage.INGEST_PRODUCTS: product_ingest_inputs(products, run.path)},
    }
    await record_event(
        session,
        run.dataset_id,
        NewEvent(EventName.DATASET_CALIBRATED, detail),
        outbox,
        calibration.job_id,
    )
