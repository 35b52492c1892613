"""One calibration, from raw files to packed products, without a database or a store."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from services.calibrator.headers import read_association, read_exposures
from services.calibrator.preflight import preflight
from services.calibrator.products import Product, check_products, kept_products, pack, promised_products
from services.calibrator.references import Reference, ReferenceFolder
from services.calibrator.template import Child, ChildRun, RunResult, judge
from services.calibrator.unpacking import is_disk_full
from services.calibrator.workspace import Workspace, fix_seed, open_workspace, stage
from shared.errors import PermanentError, TransientError, UnsupportedError
from shared.fits import check_fits

__all__ = ["CalibrationRequest", "CalibrationResult", "calibrate", "record_of"]

_NOTHING_TO_DO = 5
"""Status of CalCOS when there is nothing to calibrate."""


@dataclass(frozen=True)
class CalibrationRequest:
    """What to calibrate and how.

    Attributes
    ----------
    label
        Dataset; begins the name of the scratch folder.
    raw
        Raw files, plain or gzipped, by their name.
    products
        New folder that packed products go to.
    references
        Reference files.
    scratch
        Folder that scratch folders are made in.
    accepted_missing
        Stems of files that an operator let go.
    randseed
        RANDSEED where a raw header leaves it to the clock.
    memory_limit_mb, wall_limit_seconds
        Limits of the run.
    keep
        Patterns of the suffixes of kept products, comma separated; ``*`` keeps all.
    without
        Names of the replacements in CalCOS that are left out (`services.calibrator.acceleration.NAMES`).
    processes
        How many processes the run may use.
    """

    label: str
    raw: Mapping[str, Path]
    products: Path
    references: ReferenceFolder
    scratch: Path
    accepted_missing: frozenset[str]
    randseed: int
    memory_limit_mb: int
    wall_limit_seconds: float
    keep: str
    without: frozenset[str] = frozenset()
    processes: int = 1


@dataclass(frozen=True)
class _Prepared:
    """What goes into a run."""

    target: Path
    promised: frozenset[str]
    references: tuple[Reference, ...]
    randseeds: Mapping[str, int]
    switches: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CalibrationResult:
    """Everything that the record of a run keeps.

    Attributes
    ----------
    run
        How CalCOS ended, its log, and what it cost.
    references
        Reference files of the run.
    randseeds
        RANDSEED in force, by staged raw file.
    switches
        Calibration switches, by staged raw file.
    notes
        What was unusual but did not stop the run.
    trailer
        Text of CalCOS's trailer files.
    products
        Packed products; empty for a run that failed.
    """

    run: RunResult
    references: tuple[Reference, ...]
    randseeds: Mapping[str, int]
    switches: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...]
    trailer: str
    products: tuple[Product, ...] = ()


def record_of(error: BaseException) -> CalibrationResult | None:
    """Find the record of the run that an error of `calibrate` ended; None if none was started."""
    cause: BaseException | None = error
    while cause is not None:
        record = getattr(cause, "calibration", None)
        if isinstance(record, CalibrationResult):
            return record
        cause = cause.__cause__
    return None


async def calibrate(request: CalibrationRequest) -> CalibrationResult:
    """Stage, check, run CalCOS, check again, and pack the products; a cancelled wait kills the run.

    Parameters
    ----------
    request
        What to calibrate and how.

    Raises
    ------
    PermanentError
        If the inputs are incomplete, a reference is missing or wrong, CalCOS fails on them or leaves products out.
    TransientError
        If the run was killed, or ran out of memory, disk or time.
    UnsupportedError
        If there is nothing to calibrate.

    Notes
    -----
    The record of a run that failed or was cancelled comes with the error: see `record_of`.
    """
    try:
        with open_workspace(request.scratch, request.label) as workspace:
            prepared = await asyncio.to_thread(_prepare, request, workspace)
            child = Child(
                ChildRun(
                    prepared.target,
                    workspace.outdir,
                    workspace.references,
                    request.memory_limit_mb,
                    request.wall_limit_seconds,
                    request.without,
                    request.processes,
                )
            )
            try:
                await child.wait()
            except BaseException as error:
                _attach(error, _record(prepared, workspace, child.end()))
                raise
            record = _record(prepared, workspace, child.end())
            try:
                return replace(record, products=await asyncio.to_thread(_judge, request, prepared, workspace, record))
            except BaseException as error:
                _attach(error, record)
                raise
    except OSError as error:
        if is_disk_full(error):
            raise TransientError(f"disk full ({error}); free space in {request.scratch}") from error
        raise


def _attach(error: BaseException, record: CalibrationResult) -> None:
    error.calibration = record  # type: ignore[attr-defined]


def _prepare(request: CalibrationRequest, workspace: Workspace) -> _Prepared:
    """Stage and check the raw files and their references."""
    folder = workspace.inputs
    stage(request.raw, folder)
    for path in sorted(folder.glob("*.fits")):
        check_fits(path)
    association, exposures = read_association(folder), read_exposures(folder)
    checked = preflight(association, exposures, request.references, request.accepted_missing)
    request.references.link(checked.references, workspace.references)
    return _Prepared(
        association.path if association else exposures[0].path,
        frozenset(promised_products(association, exposures)),
        checked.references,
        {exposure.path.name: fix_seed(exposure.path, request.randseed) for exposure in exposures},
        {exposure.path.name: exposure.switches() for exposure in exposures},
        checked.notes,
    )


def _record(prepared: _Prepared, workspace: Workspace, run: RunResult) -> CalibrationResult:
    trailer = "\n".join(path.read_text(errors="replace") for path in sorted(workspace.outdir.glob("*.tra")))
    slower = tuple(f"CalCOS ran without the replacement {name} ({why})" for name, why in run.skipped.items())
    notes = prepared.notes + slower
    return CalibrationResult(run, prepared.references, prepared.randseeds, prepared.switches, notes, trailer)


def _judge(
    request: CalibrationRequest, prepared: _Prepared, workspace: Workspace, record: CalibrationResult
) -> tuple[Product, ...]:
    """Refuse a run that did not come out whole; pack what it left."""
    status = judge(record.run)
    if status == _NOTHING_TO_DO:
        raise UnsupportedError("CalCOS found nothing to calibrate (status 5)")
    if status != 0:
        raise PermanentError(f"CalCOS ended with status {status}\nthe end of its log:\n{record.run.tail}")
    check_products(workspace.outdir, prepared.promised)
    return tuple(pack(kept_products(workspace.outdir, request.keep), request.products))
