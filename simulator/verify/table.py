"""Sum up what was recovered, one row for each case and quantity."""

import csv
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

import numpy as np

from simulator.verify.result import Result

__all__ = ["COLUMNS", "rows_of", "write_table"]

COLUMNS = ("case", "quantity", "values", "mean difference", "largest", "limit", "unit", "passed")


def rows_of(case: str, results: Iterable[Result]) -> list[tuple[str, ...]]:
    """Return the rows of the table for one case, in the order of `COLUMNS`.

    Parameters
    ----------
    case
        Name of the case.
    results
        What was recovered.
    """
    ordered = sorted(results, key=lambda result: result.quantity)
    return [
        _row(case, quantity, list(found))
        for quantity, found in groupby(ordered, lambda result: result.quantity)
    ]


def _row(case: str, quantity: str, found: list[Result]) -> tuple[str, ...]:
    differences = np.array([result.recovered - result.injected for result in found])
    worst = max(found, key=lambda result: abs(result.recovered - result.injected) / result.limit)
    numbers = (differences.mean(), worst.recovered - worst.injected, worst.limit)
    passed = sum(result.passed for result in found)
    return (
        case,
        quantity,
        str(len(found)),
        *(f"{number:.2g}" for number in numbers),
        worst.unit,
        f"{passed}/{len(found)}",
    )


def write_table(results: Mapping[str, Iterable[Result]], path: Path) -> None:
    """Write the table of several cases as CSV.

    Parameters
    ----------
    results
        What was recovered, by case.
    path
        Where to.
    """
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for case, found in results.items():
            writer.writerows(rows_of(case, found))
