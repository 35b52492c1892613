"""One calibration, from raw files to packed products, without a database or a store."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.calibrator.calcos.contract import ChildRun, RunResult
from services.calibrator.calcos.process import Child, exit_status, sum_up
from services.calibrator.recipes.edits.changes import Change, TableCopied
from services.calibrator.recipes.reports.enclosed import enclosed_warnings
from services.calibrator.recipes.reports.export import export
from services.calibrator.recipes.reports.warnings import product_warnings
from services.calibrator.recipes.sub_exposures.runs import Division, RunCalcos, calibrate_parts
from services.calibrator.run.preparation import CalibrationRequest, Prepared, prepare
from services.calibrator.run.products import (
    Product,
    check_products,
    keeps_images,
    kept_products,
    pack,
)
from services.calibrator.run.references import Reference
from services.calibrator.run.workspace import Workspace, keep_workspace, open_workspace
from shared.errors import OutageError, PermanentError, UnsupportedError
from shared.outages import is_trouble

__all__ = ["CalibrationRequest", "CalibrationResult", "calibrate", "dry_run"]

_NOTHING_TO_DO = 5
"""Status of CalCOS when there is nothing to calibrate."""


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
    changes
        What a recipe changed in the files.
    warnings
        Where the run is not what its recipe or its headers say.
    trailer
        Text of CalCOS's trailer files.
    products
        Packed products; empty for a run that failed.
    extras
        Packed files that a recipe's run leaves beside them: derived tables, text files,
        sub-exposures and their light curve, the exported archive.
    """

    run: RunResult
    references: tuple[Reference, ...]
    randseeds: Mapping[str, int]
    switches: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...]
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]
    trailer: str
    products: tuple[Product, ...] = ()
    extras: tuple[Product, ...] = ()


def dry_run(request: CalibrationRequest) -> Prepared:
    """Do what comes before a run, and no more.

    Raises
    ------
    PermanentError, TransientError, UnsupportedError
        As `calibrate` would before it starts CalCOS.
    """
    with open_workspace(request.scratch, request.label) as workspace:
        return prepare(request, workspace)


async def calibrate(
    request: CalibrationRequest, ended: Callable[[CalibrationResult], None] = lambda _: None
) -> CalibrationResult:
    """Stage, check, run CalCOS, check again, and pack the products; a cancelled wait kills the run.

    Parameters
    ----------
    request
        What to calibrate and how.
    ended
        Receives what is known of a run that was started, however it ended: a wait that is
        cancelled while the scratch folder of a good run is removed returns nothing.

    Raises
    ------
    PermanentError
        If the inputs are incomplete, a reference is missing or wrong, CalCOS fails on them or
        leaves products out.
    TransientError
        If the run was killed, or ran out of memory, disk or time.
    UnsupportedError
        If there is nothing to calibrate.
    """
    try:
        async with keep_workspace(request.scratch, request.label) as workspace:
            prepared = await asyncio.to_thread(prepare, request, workspace)
            runs: list[RunResult] = []

            async def run(target: Path, outdir: Path, arguments: Mapping[str, Any]) -> RunResult:
                child = Child(_child_run(request, workspace, target, outdir, arguments, runs))
                try:
                    await child.wait()
                finally:
                    runs.append(child.end())
                return runs[-1]

            try:
                await run(prepared.target, workspace.outdir, prepared.arguments)
                await asyncio.to_thread(_check, runs[0], prepared, workspace)
                division = await _divide(request, prepared, workspace, run)
                record = _record(prepared, workspace, runs)
                result = await asyncio.to_thread(
                    _finish, request, prepared, workspace, record, division
                )
            except BaseException:
                if runs:
                    ended(_record(prepared, workspace, runs))
                raise
            ended(result)
            return result
    except OSError as error:
        if is_trouble(error):
            raise OutageError(
                f"no room to work ({error}); free space in {request.scratch}"
            ) from error
        raise


def _child_run(
    request: CalibrationRequest,
    workspace: Workspace,
    target: Path,
    outdir: Path,
    arguments: Mapping[str, Any],
    before: Sequence[RunResult],
) -> ChildRun:
    """Run of CalCOS with what the earlier ones of the same calibration have left of its time."""
    return ChildRun(
        target,
        outdir,
        workspace.references,
        request.memory_limit_mb,
        request.wall_limit_seconds - sum(run.wall_seconds for run in before),
        request.without,
        request.processes,
        # Nobody keeps images of a sub-exposure, which is all that has a folder of its own.
        outdir == workspace.outdir and (request.recipe is not None or keeps_images(request.keep)),
        arguments,
    )


async def _divide(
    request: CalibrationRequest, prepared: Prepared, workspace: Workspace, run: RunCalcos
) -> Division:
    division = request.recipe.sub_exposures if request.recipe else None
    return (
        await calibrate_parts(request.label, division, prepared, workspace, run)
        if division
        else Division()
    )


def _record(
    prepared: Prepared, workspace: Workspace, runs: Sequence[RunResult]
) -> CalibrationResult:
    run = sum_up(runs)
    trailers = [
        *sorted(workspace.outdir.glob("*.tra")),
        *sorted((workspace.root / "parts").glob("*.tra")),
    ]
    trailer = "\n".join(path.read_text(errors="replace") for path in trailers)
    slower = tuple(
        f"CalCOS ran without the replacement {name} ({why})" for name, why in run.skipped.items()
    )
    notes = prepared.notes + slower
    return CalibrationResult(
        run,
        prepared.references,
        prepared.randseeds,
        prepared.switches,
        notes,
        prepared.changes,
        prepared.warnings,
        trailer,
    )


def _check(run: RunResult, prepared: Prepared, workspace: Workspace) -> None:
    """Refuse a run that did not come out whole."""
    status = exit_status(run)
    if status == _NOTHING_TO_DO and not prepared.promised:
        raise UnsupportedError("CalCOS found nothing to calibrate (status 5)")
    if status != 0:
        raise PermanentError(f"CalCOS ended with status {status}\nthe end of its log:\n{run.tail}")
    check_products(workspace.outdir, prepared.promised)


def _finish(
    request: CalibrationRequest,
    prepared: Prepared,
    workspace: Workspace,
    record: CalibrationResult,
    division: Division,
) -> CalibrationResult:
    """Pack what a good run left."""
    kept, others = kept_products(workspace.outdir, request.keep)
    products = tuple(pack(kept, request.products))
    notes = (f"not kept, as COSMO_CALIBRATOR__KEEP says: {', '.join(others)}",) if others else ()
    left_out = [f"{name} was missing and is left out" for name in sorted(request.accepted_missing)]
    find_target = request.recipe is not None and request.recipe.options.find_target.flag
    found = product_warnings(workspace.outdir, record.run.log, find_target=find_target)
    record = replace(
        record,
        products=products,
        notes=record.notes + notes,
        warnings=(*record.warnings, *left_out, *found),
    )
    if request.recipe is None:
        return record
    derived = [
        workspace.references / change.file
        for change in prepared.changes
        if isinstance(change, TableCopied)
    ]
    texts = sorted(workspace.outdir.glob("*.txt"))  # those that the recipe asked for
    archive = export(request.label, request.recipe, prepared, workspace, division.parts)
    extras = tuple(pack([*derived, *texts, *division.files, archive], request.products))
    warnings = (
        *record.warnings,
        *enclosed_warnings(workspace.outdir, workspace.references),
        *division.warnings,
    )
    return replace(record, extras=extras, warnings=warnings)
