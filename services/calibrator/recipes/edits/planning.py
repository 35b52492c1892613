"""Plan of a recipe's edits, as a function of the headers alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.calibrator.recipes.checks.effects import (
    check_effects,
    check_extracted_alike,
    check_reach,
)
from services.calibrator.recipes.checks.wavecals import check_wavecal, is_wavecal, wavecal_warnings
from services.calibrator.recipes.edits.changes import (
    CellEdit,
    Change,
    FileLeftOut,
    HeaderEdit,
    RowAdded,
)
from services.calibrator.run.headers import Exposure
from services.calibrator.run.workspace import CLOCK_SEED
from shared.cos.association import Association
from shared.cos.names import parse_name
from shared.cos.references import FILETYPES
from shared.errors import RefusedError
from shared.recipes import Recipe
from shared.recipes.keywords import KEYWORDS

__all__ = ["Best", "Plan", "plan"]

Best = Callable[[str, Exposure], Mapping[str, str]]


@dataclass(frozen=True)
class Plan:
    """Changes in the order of making, and what to know of them though they are made."""

    changes: tuple[Change, ...]
    warnings: tuple[str, ...]


def plan(
    recipe: Recipe,
    association: Association | None,
    exposures: Sequence[Exposure],
    files: Sequence[str],
    randseed: int,
    best: Best,
) -> Plan:
    """List what a recipe changes.

    Parameters
    ----------
    recipe
        The recipe.
    association
        Association table; None for a single exposure.
    exposures
        Raw science files.
    files
        Names of all staged files.
    randseed
        RANDSEED where neither the recipe nor the header sets one.
    best
        Finds the best references of an exposure by a context of CRDS.

    Raises
    ------
    RefusedError
        If the recipe does not fit these files; the message says why and what to do.
    """
    _check_rootnames(recipe, association, exposures)
    members = recipe.members
    dropped = set(members.drop)
    if members.single:
        dropped = {exposure.rootname for exposure in exposures} - {members.single}
    kept = [
        exposure
        for exposure in exposures
        if exposure.rootname not in dropped and members.file in (None, exposure.path.name)
    ]
    others = {exposure.path.name for exposure in exposures} - {
        exposure.path.name for exposure in kept
    }
    if all(is_wavecal(exposure) for exposure in kept):
        raise RefusedError("members: nothing but wavecals is left; keep a science exposure")
    changes: list[Change] = [
        FileLeftOut(name)
        for name in sorted(files)
        if parse_name(name).rootname in dropped or name in others
    ]
    warnings: list[str] = []
    if association is not None:
        if members.single:
            changes.append(FileLeftOut(association.name))
        changes += _association(recipe, association, kept)
    warnings += wavecal_warnings(members.wavecals, exposures, kept)
    edited = [(exposure, _resolved(recipe, exposure, best)) for exposure in kept]
    extracted: dict[str, bool] = {}
    for exposure, edits in edited:
        check_effects(exposure, edits, recipe)
        if edits.get("WAVECORR") == "OMIT" and is_wavecal(exposure):
            warnings.append(
                f"WAVECORR is OMIT in {exposure.path.name}, a wavecal, which CalCOS processes all "
                "the same"
            )
        if exposure.text("OBSTYPE") == "SPECTROSCOPIC" and "X1DCORR" in exposure.header:
            extracted[exposure.path.name] = (
                str(edits.get("X1DCORR", exposure.text("X1DCORR"))) != "OMIT"
            )
        if "RANDSEED" not in edits and exposure.header.get("RANDSEED", CLOCK_SEED) == CLOCK_SEED:
            edits["RANDSEED"] = randseed
        changes += _headers(exposure, edits)
    check_reach(recipe, edited)
    if association is not None and not members.single:
        check_extracted_alike(extracted)
    return Plan(tuple(changes), tuple(warnings))


def _resolved(recipe: Recipe, exposure: Exposure, best: Best) -> dict[str, Any]:
    """Return the keyword to value for an exposure, with file names in place of contexts."""
    edits = recipe.edits(exposure.rootname)
    if recipe.context:
        found = best(recipe.context, exposure)
        edits = {
            keyword: name for keyword, name in found.items() if keyword in exposure.header
        } | edits
    for keyword, value in edits.items():
        if isinstance(value, str) and value.endswith(".pmap"):
            name = best(value, exposure).get(keyword)
            if name is None:
                raise RefusedError(
                    f"{exposure.path.name}: {value} has no {keyword} for it; name a file"
                )
            edits[keyword] = name
    return edits


def _check_rootnames(
    recipe: Recipe, association: Association | None, exposures: Sequence[Exposure]
) -> None:
    there = {exposure.rootname for exposure in exposures}
    members = recipe.members
    own = there - set(members.wavecals)
    named = {*members.drop, *recipe.exposures, *([members.single] if members.single else [])} - set(
        members.wavecals
    )
    if unknown := sorted(named - own):
        raise RefusedError(
            f"recipe: {', '.join(unknown)} not among the exposures, which are "
            f"{', '.join(sorted(own))}"
        )
    names = sorted(exposure.path.name for exposure in exposures)
    if members.file and members.file not in names:
        raise RefusedError(
            f"members.file: there is no {members.file}; there are {', '.join(names)}"
        )
    if members.wavecals and association is None:
        raise RefusedError(
            "members.wavecals: a single exposure has no association that they could be added to"
        )
    if absent := sorted(set(members.wavecals) - there):
        raise RefusedError(
            f"members.wavecals: no raw file of {', '.join(absent)} is in the store; have it fetched"
        )


def _association(
    recipe: Recipe, association: Association, kept: Sequence[Exposure]
) -> Iterator[Change]:
    name = association.name
    for number, row in enumerate(association.rows):
        if row.name in recipe.members.drop and row.is_exposure and row.present:
            yield CellEdit(name, 1, number, "MEMPRSNT", True, False)
    science = next(exposure for exposure in kept if not is_wavecal(exposure))
    for rootname in recipe.members.wavecals:
        if rootname in association.members:
            raise RefusedError(f"members.wavecals: {rootname} is a member already")
        for exposure in kept:
            if exposure.rootname == rootname:
                check_wavecal(exposure, science)
        yield RowAdded(
            name, 1, {"MEMNAME": rootname.upper(), "MEMTYPE": "EXP-GWAVE", "MEMPRSNT": True}
        )


def _headers(exposure: Exposure, edits: dict[str, Any]) -> Iterator[Change]:
    for keyword, value in edits.items():
        known = KEYWORDS.get(keyword)
        if known and known.segment not in (None, exposure.text("SEGMENT")):
            continue
        extension = known.extension if known else 0
        header = exposure.data_header if extension else exposure.header
        new = f"lref${value}" if keyword in FILETYPES and value != "N/A" else value
        old = header.get(keyword)
        old = old.strip() if isinstance(old, str) else old
        if (old, type(old)) != (new, type(new)) and not (old is None and new in ("OMIT", "N/A")):
            yield HeaderEdit(exposure.path.name, extension, keyword, old, new)
