"""Before a run: raw files staged, edited as a recipe says, and checked.

Their references at hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.calibrator.recipes.checks.coverage import check_coverage
from services.calibrator.recipes.checks.placement import check_placement
from services.calibrator.recipes.checks.regions import region_warnings
from services.calibrator.recipes.edits.arguments import calcos_arguments, write_shifts
from services.calibrator.recipes.edits.changes import Change, HeaderEdit, TableCopied, apply
from services.calibrator.recipes.edits.extraction import derive
from services.calibrator.recipes.edits.planning import plan
from services.calibrator.recipes.sub_exposures.selection import check_pulse_heights, divide
from services.calibrator.run.associations import keep_members, read_association
from services.calibrator.run.headers import read_exposures, rewrite_references
from services.calibrator.run.preflight import preflight
from services.calibrator.run.products import promised_products
from services.calibrator.run.references import Reference, ReferenceFolder
from services.calibrator.run.workspace import Workspace, fix_seed, stage
from shared.cos.references import FILETYPES
from shared.fits import check_fits
from shared.recipes import Recipe
from shared.recipes.options import Options
from shared.store import sha256_of

__all__ = ["CalibrationRequest", "Prepared", "prepare"]

_PLACES = {"TWOZXTAB", "PROFTAB", "XTRACTAB"}
"""References that say where spectra are extracted."""


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
        Names of the replacements in CalCOS that are left out
        (`services.calibrator.acceleration.NAMES`).
    processes
        How many processes the run may use.
    recipe
        How the run differs from the default; None for the default one.
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
    recipe: Recipe | None = None


@dataclass(frozen=True)
class Prepared:
    """What goes into a run.

    Attributes
    ----------
    target
        Association table or raw file that CalCOS is given.
    arguments
        Its other arguments, where they differ from its defaults.
    promised
        Names of the products that it must leave.
    references
        Reference files, derived ones among them.
    randseeds, switches
        By staged raw file.
    notes
        What is unusual.
    changes
        What the recipe changed.
    warnings
        What to know of the recipe's effects.
    """

    target: Path
    arguments: Mapping[str, Any]
    promised: frozenset[str]
    references: tuple[Reference, ...]
    randseeds: Mapping[str, int]
    switches: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()


def prepare(request: CalibrationRequest, workspace: Workspace) -> Prepared:
    """Stage, edit and check the raw files, and link their references.

    Raises
    ------
    PermanentError
        If the inputs are incomplete or damaged, the recipe does not fit them, or a reference is
        missing or wrong.
    TransientError
        If the disk is full.
    UnsupportedError
        If there is nothing to calibrate.
    """
    folder, lref = workspace.inputs, workspace.references
    stage(request.raw, folder)
    keep_members(folder, request.recipe.members.wavecals if request.recipe else ())
    odd = tuple(warning for path in sorted(folder.glob("*.fits")) for warning in check_fits(path))
    changes, warnings = _edit(request, workspace)
    warnings += odd
    association, exposures = read_association(folder), read_exposures(folder)
    randseeds = {
        exposure.path.name: fix_seed(exposure.path, request.randseed) for exposure in exposures
    }
    single = request.recipe is not None and request.recipe.members.file is not None
    checked = preflight(
        association, exposures, request.references, request.accepted_missing, single_file=single
    )
    request.references.link(checked.references, lref)
    rewrite_references(
        exposures, {(item.keyword, item.value): item.name for item in checked.references}
    )
    exposures = read_exposures(folder)
    warnings += tuple(reference.warning for reference in checked.references if reference.warning)
    references, options = (
        checked.references,
        request.recipe.options if request.recipe else Options(),
    )
    if request.recipe is not None:
        chosen = {change.keyword for change in changes if isinstance(change, HeaderEdit)}
        check_coverage(exposures, chosen & set(FILETYPES), lref)
        derived = derive(request.recipe, exposures, lref)
        apply(derived, folder, lref)
        changes += tuple(derived)
        references += _derived(derived, lref)
        exposures = read_exposures(folder)
        if {change.keyword for change in changes if isinstance(change, HeaderEdit)} & _PLACES:
            check_placement(exposures, lref)
        warnings += tuple(region_warnings(exposures, lref))
        write_shifts(options, folder)
        if division := request.recipe.sub_exposures:
            check_pulse_heights(division, exposures, lref)
            orbits = [path.name[:9] for path in folder.glob("*_spt.fits")]
            changes += tuple(divide(division, exposures, orbits))
    return Prepared(
        folder / association.name if association else exposures[0].path,
        calcos_arguments(options, request.label, folder),
        frozenset(promised_products(association, exposures, options)),
        references,
        randseeds,
        {exposure.path.name: exposure.switches() for exposure in exposures},
        checked.notes,
        changes,
        warnings,
    )


def _edit(
    request: CalibrationRequest, workspace: Workspace
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Make the changes that the raw headers alone decide."""
    if request.recipe is None:
        return (), ()
    folder = workspace.inputs
    names = [path.name for path in folder.iterdir()]
    association, exposures = read_association(folder), read_exposures(folder)
    planned = plan(
        request.recipe, association, exposures, names, request.randseed, request.references.best
    )
    apply(planned.changes, folder, workspace.references)
    return planned.changes, planned.warnings


def _derived(changes: Sequence[Change], lref: Path) -> tuple[Reference, ...]:
    """Return the record of the derived tables: each with the checksum of its own content."""
    keywords = {
        str(change.new).removeprefix("lref$"): change.keyword
        for change in changes
        if isinstance(change, HeaderEdit) and str(change.new).startswith("lref$")
    }
    return tuple(
        Reference(keywords[change.file], change.file, sha256_of(lref / change.file), change.file)
        for change in changes
        if isinstance(change, TableCopied)
    )
