"""Monitor: a declaration, and one pure function from columns to findings."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Select

from services.monitor.figures import VERSION, Figure
from services.monitor.framework.rules import Finding, Rule
from shared.database.models.science import DERIVED_TABLES, SCIENCE_TABLES

__all__ = [
    "Columns",
    "Finding",
    "Increment",
    "IncrementResult",
    "Inputs",
    "Monitor",
    "NewArtifact",
    "Quantity",
    "Reference",
    "RowQuery",
    "RunOutput",
    "Values",
]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

RowQuery = Select[*tuple[Any, ...]]
"""A query for named columns."""

Columns = Mapping[str, np.ndarray]
"""Columns of a query by name, all of shape (n,): floats (NaN for null), booleans or objects (text,
None for null).
"""

Inputs = Mapping[str, Columns]
"""Columns of each of a monitor's queries and references."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Unit and meaning of a quantity that a monitor derives."""

    unit: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Reference files of a kind as an input.

    Attributes
    ----------
    keyword
        Header keyword that names them.
    read
        Makes columns of those that CalCOS used and that can be read, the one that it used last
        first. A reference file never changes under its name.
    """

    keyword: str
    read: Callable[[Sequence[Path]], Columns]


@dataclass(frozen=True, kw_only=True)
class Increment:
    """Inputs that are too many for every run.

    It reads those of the parts that changed, and is given back the others.

    The computation is given what was found in all parts: each table by its name, of the rows of all
    parts with their ``part``, which is its place in ``key`` and ``new``, the columns by the name of
    the parted input.

    Attributes
    ----------
    digests
        Pure function from the inputs declared before it to the digests of each part's inputs, by
        the part's key.
    rows
        Queries for the rows of a part by its key.
    find
        Pure function of a part's key, and of the inputs declared before it with its rows: what is
        found there, the same columns of the same tables in every part. It sees nothing that its
        digest does not cover.
    """

    digests: Callable[[Inputs], Mapping[str, str]]
    rows: Callable[[str], Mapping[str, RowQuery]]
    find: Callable[[str, Inputs], Mapping[str, Columns]]


@dataclass(frozen=True, kw_only=True)
class Values:
    """Values of one quantity; arrays of shape (n,).

    Attributes
    ----------
    quantity
        Its name.
    mjd
        Times, MJD (d).
    value, error
        Values and one-sigma errors in the unit of the quantity; error NaN where unknown.
    rootname, segment, region
        Text, None where it does not apply.
    hvlevel, life_adj, file_id
        Numbers as floats, NaN where they do not apply.
    outlier
        Boolean: a rule of the monitor hit it.
    """

    quantity: str
    mjd: np.ndarray
    value: np.ndarray
    error: np.ndarray
    rootname: np.ndarray
    segment: np.ndarray
    region: np.ndarray
    hvlevel: np.ndarray
    life_adj: np.ndarray
    file_id: np.ndarray
    outlier: np.ndarray

    def __post_init__(self) -> None:
        """Refuse arrays of several lengths.

        Raises
        ------
        ValueError
            If an array is not of the shape of the times.
        """
        for name, array in vars(self).items():
            if name != "quantity" and array.shape != (len(self.mjd),):
                raise ValueError(
                    f"values of {self.quantity!r}: {name} has the shape {array.shape} where there "
                    f"are {len(self.mjd)} times; `values_of` of services.monitor.library."
                    "exposure_values fills in what is not known"
                )


@dataclass(frozen=True, kw_only=True)
class NewArtifact:
    """A file that a run makes: its kind, name, content, and what its checks say."""

    kind: str
    name: str
    content: bytes
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class IncrementResult:
    """What was found in a part of the inputs, of which later runs are given it back
    (`MonitorPart`).

    Attributes
    ----------
    inputs
        Digest of the inputs that it reflects.
    content, tables
        What was found: anything that JSON can say, and columns by name of a table.
    """

    inputs: str
    content: dict[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Columns] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunOutput:
    """Everything that a computation leaves.

    Attributes
    ----------
    newest_mjd
        Time of the newest input; None where there was none, and nothing is left but tables.
    values, figures, findings, artifacts
        What is shown from now on, in place of what earlier runs left.
    statistics
        Numbers by group and period (`services.monitor.framework.statistics`).
    kept_artifacts
        Names of files that stay as earlier runs made them.
    parts
        What is kept for later runs, by key; None keeps what there is. Others are forgotten.
    unfinished
        Whether a run must follow at once, since there was more new input than one run takes.
    tables
        All columns of the derived tables that the monitor makes, by their names; NaN stands for
        null. Keys are the monitor's: the same row has the same key in every run.
    """

    newest_mjd: float | None
    values: Sequence[Values] = ()
    figures: Sequence[Figure] = ()
    findings: Sequence[Finding] = ()
    artifacts: Sequence[NewArtifact] = ()
    statistics: Mapping[str, Any] = field(default_factory=dict)
    kept_artifacts: Sequence[str] = ()
    parts: Mapping[str, IncrementResult | None] = field(default_factory=dict)
    unfinished: bool = False
    tables: Mapping[str, Columns] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """Declaration of a monitor.

    Attributes
    ----------
    name
        Name in URLs and tables.
    title
        Name for readers.
    explanation
        What it means and how it is computed; paragraphs are parted by blank lines.
    detector
        FUV, NUV or both.
    version
        Raised whenever the same inputs would give something else.
    tables
        Tables whose new rows make it run: those of files, or those that other monitors make.
    inputs
        Its queries.
    quantities
        What it derives.
    compute
        Pure function of the inputs.
    cadence
        How often data are expected: twice that without any makes it stale.
    references
        Reference files that are inputs too.
    parts
        Inputs that are found part by part, in the order in which they need each other, after all
        others.
    rules
        What makes outliers and alerts, with the numbers and their dates.
    """

    name: str
    title: str
    explanation: str
    detector: str
    version: int
    tables: frozenset[str]
    inputs: Mapping[str, RowQuery]
    quantities: Mapping[str, Quantity]
    compute: Callable[[Inputs], RunOutput]
    cadence: timedelta
    references: Mapping[str, Reference] = field(default_factory=dict)
    parts: Mapping[str, Increment] = field(default_factory=dict)
    rules: Sequence[Rule] = ()

    def __post_init__(self) -> None:
        """Refuse a declaration that would never run, or read what is not there.

        Raises
        ------
        ValueError
            If its name cannot be part of an address, or no table has the name of one of `tables`.
        """
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"the name {self.name!r} is not of lower-case letters, digits and -")
        known = {**SCIENCE_TABLES, **DERIVED_TABLES}
        if not self.tables or (unknown := sorted(self.tables - known.keys())):
            wrong = ", ".join(unknown) if self.tables else "none given"
            raise ValueError(
                f"tables of the monitor {self.name}: {wrong}; give the names of the tables whose "
                f"new rows make it run, of {', '.join(known)}"
            )

    def check_output(self, output: RunOutput) -> None:
        """Refuse values that nobody could read the unit of.

        Raises
        ------
        ValueError
            If a quantity is not one of `quantities`.
        """
        if unknown := sorted({one.quantity for one in output.values} - self.quantities.keys()):
            raise ValueError(
                f"the monitor {self.name} has values of {', '.join(unknown)}, which its quantities "
                "do not declare: add them with unit and description"
            )

    @property
    def versions(self) -> dict[str, int | str]:
        """Versions of what a run computes and draws with; other ones make the monitor run again."""
        libraries = {name: version(name) for name in ("numpy", "astropy")}
        return {"monitor": self.version, "figures": VERSION, **libraries}
