"""Extraction by numbers: tables derived from the active ones."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from astropy.io import fits

from services.calibrator.recipes.edits.changes import CellEdit, Change, HeaderEdit, TableCopied
from services.calibrator.recipes.edits.tables import aperture_of, file_of, find_row, segments_of
from services.calibrator.run.headers import Exposure
from shared.errors import RefusedError
from shared.recipes import Recipe
from shared.recipes.extraction import ZONES

__all__ = ["derive"]

_TABLES = {"BOXCAR": ("XTRACTAB", "1dx"), "TWOZONE": ("TWOZXTAB", "2zx")}
"""Extraction algorithm to the keyword of its table and the suffix of the table's name."""

Cells = dict[tuple[int, str], Any]


def derive(recipe: Recipe, exposures: Sequence[Exposure], lref: Path) -> list[Change]:
    """Copy the active extraction tables with a recipe's numbers in the rows of these exposures.

    Parameters
    ----------
    recipe
        The recipe.
    exposures
        Raw files, as the recipe's other changes left them.
    lref
        Folder of the reference files.

    Raises
    ------
    RefusedError
        If the active table has no row for an exposure or no such column, zone boundaries would not
        ascend, or a boxcar extraction cannot be aligned.
    """
    wanted: dict[tuple[str, str], Cells] = {}
    users: dict[tuple[str, str], list[Exposure]] = {}
    for exposure in exposures:
        algorithm = exposure.algorithm
        _check_alignment(exposure, algorithm, lref)
        numbers = {
            segment: recipe.extraction.numbers(algorithm, segment)
            for segment in segments_of(exposure)
        }
        if (
            not any(numbers.values())
            or not exposure.is_set("X1DCORR")
            or exposure.text("EXPTYPE") == "WAVECAL"
        ):
            continue
        key = (_TABLES[algorithm][0], file_of(exposure, _TABLES[algorithm][0]))
        cells = wanted.setdefault(key, {})
        users.setdefault(key, []).append(exposure)
        for segment, columns in numbers.items():
            if columns:
                cells |= _cells(lref / key[1], exposure, segment, columns)
    return [
        change for key, cells in wanted.items() for change in _changes(key, cells, users[key], lref)
    ]


def _check_alignment(exposure: Exposure, algorithm: str, lref: Path) -> None:
    """Refuse what CalCOS stops at in the middle.

    Aligning needs YERRMAX of the table of the algorithm.
    """
    if (
        algorithm != "BOXCAR"
        or not exposure.is_set("ALGNCORR")
        or exposure.text("DETECTOR") != "FUV"
    ):
        return
    name = file_of(exposure, "XTRACTAB")
    if (lref / name).is_file() and "YERRMAX" not in fits.getdata(lref / name, 1).names:
        raise RefusedError(
            f"{exposure.path.name}: with XTRCTALG=BOXCAR, ALGNCORR needs a column YERRMAX, which "
            f"{name} lacks; "
            "omit TRCECORR and ALGNCORR as well"
        )


def _cells(path: Path, exposure: Exposure, segment: str, columns: Mapping[str, Any]) -> Cells:
    table = fits.getdata(path, 1)
    row = find_row(table, exposure, segment, aperture_of(exposure))
    if row is None:
        raise RefusedError(
            f"extraction: {path.name} has no row for {segment} of {exposure.path.name}"
        )
    columns = _by_region(columns, table.names)
    if absent := sorted(set(columns) - set(table.names)):
        raise RefusedError(
            f"extraction: {path.name} has no column {', '.join(absent)}; it has "
            f"{', '.join(table.names)}"
        )
    values = {name: columns.get(name, table[name][row]) for name in table.names}
    zones = [float(values[name]) for name in ZONES if name in values]
    if zones != sorted(zones):
        listed = ", ".join(f"{name} {value:g}" for name, value in zip(ZONES, zones, strict=True))
        raise RefusedError(
            f"extraction: with the numbers that {path.name} has, the zones do not ascend: {listed}"
        )
    return {(row, column): value for column, value in columns.items()}


def _by_region(columns: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    """Give each background region its height where the table has a column for each.

    CalCOS then reads no BHEIGHT.
    """
    if "BHEIGHT" not in columns or "B_HGT1" not in names:
        return columns
    both = dict.fromkeys(("B_HGT1", "B_HGT2"), columns["BHEIGHT"])
    return both | {name: value for name, value in columns.items() if name != "BHEIGHT"}


def _changes(
    key: tuple[str, str], cells: Cells, users: Sequence[Exposure], lref: Path
) -> Iterator[Change]:
    keyword, active = key
    identity = json.dumps([active, sorted([*cell, value] for cell, value in cells.items())])
    suffix = next(suffix for name, suffix in _TABLES.values() if name == keyword)
    name = f"{hashlib.sha256(identity.encode()).hexdigest()[:9]}_{suffix}.fits"
    table = fits.getdata(lref / active, 1)
    yield TableCopied(name, active)
    yield HeaderEdit(name, 0, "PARENT", None, active)
    for (row, column), value in sorted(cells.items()):
        old = table[column][row].item()
        yield HeaderEdit(
            name, 0, "HISTORY", None, f"row {row}, {column}: {value}, where {active} has {old}"
        )
        yield CellEdit(name, 1, row, column, old, value)
    for exposure in users:
        yield HeaderEdit(exposure.path.name, 0, keyword, exposure.text(keyword), f"lref${name}")
