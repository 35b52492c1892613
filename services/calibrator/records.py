"""Records of runs in the database."""

from collections.abc import Iterable, Sequence

from services.calibrator.run.calibrate import CalibrationResult
from services.calibrator.run.references import Reference
from shared.database.engine import DATABASE_ERRORS, Database
from shared.database.models.operations import File, Run
from shared.jobs.claims import ClaimedJob
from shared.logs import get_logger

__all__ = ["record_failure", "reference_record", "run_record"]


def reference_record(references: Iterable[Reference]) -> dict[str, dict[str, str]]:
    """Map names of reference files to their keyword and SHA-256."""
    return {item.name: {"keyword": item.keyword, "sha256": item.sha256} for item in references}


def run_record(
    job: ClaimedJob,
    calcos: str,
    files: Sequence[File],
    accepted: Sequence[str],
    result: CalibrationResult,
) -> Run:
    """Return the record of a run, not yet written, which is not the current one.

    Parameters
    ----------
    job
        Job that the run belongs to.
    calcos
        Version of CalCOS.
    files
        Inputs.
    accepted
        What an operator accepted to be missing.
    result
        What is known of the run.
    """
    return Run(
        dataset_id=job.dataset_id,
        job_id=job.id,
        attempt=job.attempt,
        current=False,
        calcos_version=calcos,
        inputs={file.name: file.sha256 for file in files},
        references=reference_record(result.references),
        switches={**result.switches, "acceleration": dict(result.run.acceleration)},
        randseeds=dict(result.randseeds),
        accepted_missing=list(accepted),
        warnings=list(result.warnings),
        exit_status=result.run.status,
        signal=result.run.signal,
        wall_seconds=result.run.wall_seconds,
        cpu_seconds=result.run.cpu_seconds,
        peak_rss_mb=result.run.peak_rss_mb,
        trailer=result.trailer or result.run.log,
    )


async def record_failure(database: Database, run: Run, error: BaseException) -> None:
    """Record a run that failed or was stopped, at once: what becomes of its job is another matter.

    Parameters
    ----------
    database
        Database; where it cannot be written to, the log says so.
    run
        Record of the run.
    error
        Why it ended.
    """
    run.error = str(error) or "stopped, because its worker was"
    wall_seconds = run.wall_seconds
    try:
        async with database.transaction() as session:
            session.add(run)
    except DATABASE_ERRORS as reason:
        get_logger().warning("run not recorded", error=str(reason), wall_seconds=wall_seconds)
