"""Recipes on simulated cases and real exposures, without a database."""

import asyncio
import gzip
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.calibrator.run.calibrate import CalibrationRequest, CalibrationResult, calibrate
from services.calibrator.run.references import ReferenceFolder
from shared.recipes import Recipe, parse_recipe
from simulator.plan import Flash
from simulator.references.catalogue import Catalogue
from simulator.verify.cases import CASES, Case
from simulator.verify.running import simulate_case
from tests.simulated_references import write_references

__all__ = [
    "BARE_ENVIRONMENT",
    "calibrate_as_is",
    "differ",
    "recalibrate",
    "simulated",
    "small_visit",
]

BARE_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")
}
"""Environment of somebody who has nothing of COSMO.

Numbers are the same with the same kernels of OpenBLAS alone.
"""

_SECONDS = 60.0
"""Exposure time of small visits."""


def recalibrate(
    document: Any,
    raw: dict[str, Path],
    references: ReferenceFolder,
    label: str,
    folder: Path,
    ended: Callable[[CalibrationResult], None] = lambda _: None,
) -> tuple[CalibrationResult, Path]:
    """Run a recipe.

    Returns its record and the folder of its products; `ended` receives that of a failed run, too.
    """
    return _run(raw, references, label, folder, parse_recipe(document), ended)


def calibrate_as_is(
    raw: dict[str, Path], references: ReferenceFolder, label: str, folder: Path
) -> tuple[CalibrationResult, Path]:
    """Run CalCOS as the headers say; returns the record and the folder of the products."""
    return _run(raw, references, label, folder, None)


def _run(
    raw: dict[str, Path],
    references: ReferenceFolder,
    label: str,
    folder: Path,
    recipe: Recipe | None,
    ended: Callable[[CalibrationResult], None] = lambda _: None,
) -> tuple[CalibrationResult, Path]:
    request = CalibrationRequest(
        label,
        raw,
        folder / "products",
        references,
        folder / "scratch",
        frozenset(),
        1,
        8192,
        600.0,
        "*",
        processes=2,
        recipe=recipe,
    )
    return asyncio.run(calibrate(request, ended)), folder / "products"


def simulated(case: Case, folder: Path) -> tuple[dict[str, Path], ReferenceFolder, str]:
    """Simulate a case; returns its raw files, its references, and its rootname."""
    catalogue = Catalogue()
    simulate_case(case, folder / "raw", catalogue)
    for member in case.members:
        write_references(catalogue, folder / "references", catalogue.select(member).values())
    raw = {path.name: path for path in (folder / "raw").glob("*.fits*")}
    label = case.association.rootname if case.association else case.members[0].rootname
    return raw, ReferenceFolder(folder / "references", folder / "cache", "3.6.2"), label


def differ(one: Path, other: Path) -> bool:
    """Return whether the content of two files differs; the first may be gzipped."""
    content = one.read_bytes()
    return (gzip.decompress(content) if one.suffix == ".gz" else content) != other.read_bytes()


def small_visit(name: str) -> Case:
    """Return two short exposures of a case's mode."""
    first, association = CASES[name].members[0], "lrnd01010"
    flashes = (Flash(0.0, 12.0), Flash(_SECONDS - 15.0, _SECONDS - 3.0))
    members = tuple(
        replace(
            first,
            rootname=f"lrnd01a{number}q",
            start=first.start + number * 0.002,
            exptime=_SECONDS,
            flashes=flashes,
            association=association,
            member_type="EXP-FP",
            linenum=f"01.00{number}",
        )
        for number in (1, 2)
    )
    return replace(CASES[name], members=members)
