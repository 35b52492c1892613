"""Association tables, read as CalCOS reads them.

Source: CalCOS 3.6.2, `calcos.Association.readAsnTable` and its loop over the members.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shared.cos.names import FREE_NAME, parse_name
from shared.errors import PermanentError
from shared.fits import FitsFile

__all__ = ["Association", "Row", "read_association"]

_FREE_NAME = re.compile(FREE_NAME)
_COLUMNS = ("MEMNAME", "MEMTYPE", "MEMPRSNT")


@dataclass(frozen=True)
class Row:
    """Row of an association table.

    Attributes
    ----------
    name
        Rootname of the exposure or name of the product, lower case.
    kind
        MEMTYPE as it is written.
    present
        MEMPRSNT, whatever the type of its column.
    """

    name: str
    kind: str
    present: bool

    @property
    def is_product(self) -> bool:
        """Whether CalCOS calls sums after it.

        MEMTYPE has ``PROD`` in upper case, and its presence does not matter.
        """
        return "PROD" in self.kind

    @property
    def is_exposure(self) -> bool:
        """Whether it names an exposure.

        CalCOS finds no files for a product in lower case, and passes over it.
        """
        return "PROD" not in self.kind.upper()


@dataclass(frozen=True)
class Association:
    """What an association table says, and so which files a run has.

    Attributes
    ----------
    name
        Name of its file.
    rows
        Its rows.
    """

    name: str
    rows: tuple[Row, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """Rootnames of the exposures that are present, each once."""
        return tuple(
            dict.fromkeys(row.name for row in self.rows if row.is_exposure and row.present)
        )

    @property
    def left_out(self) -> tuple[str, ...]:
        """Rootnames of the exposures that are switched off."""
        listed = dict.fromkeys(row.name for row in self.rows if row.is_exposure)
        return tuple(name for name in listed if name not in self.members)

    @property
    def product(self) -> str | None:
        """Name that CalCOS gives to sums; None where it makes none."""
        return next((row.name for row in self.rows if row.is_product), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the association as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Association":
        """Return the association from JSON."""
        return cls(content["name"], tuple(Row(**row) for row in content["rows"]))


def read_association(file: FitsFile) -> Association:
    """Read the table of the first extension, whatever that is called.

    Raises
    ------
    PermanentError
        If CalCOS would stop at it: no table, no rows, a column missing, two products, or a name
        that is none.
    """
    if len(file.hdus) < 2:
        raise PermanentError(f"{file.name}: there is no table of members in it; fetch it again")
    columns = file.table(file.hdus[1], _COLUMNS)
    if (
        any(columns[name].dtype.kind != "U" for name in ("MEMNAME", "MEMTYPE"))
        or columns["MEMPRSNT"].ndim != 1
    ):
        raise PermanentError(
            f"{file.name}: MEMNAME and MEMTYPE must be text, and MEMPRSNT one value a row"
        )
    rows = tuple(
        _row(file.name, str(name), str(kind), present)
        for name, kind, present in zip(*(columns[name] for name in _COLUMNS), strict=True)
    )
    if not rows:
        raise PermanentError(
            f"{file.name}: the association table is empty, which CalCOS refuses; fetch it again"
        )
    products = [row.name for row in rows if row.is_product]
    if len(products) > 1:
        raise PermanentError(
            f"{file.name} lists {len(products)} products ({', '.join(products)}); CalCOS takes one"
        )
    return Association(file.name, rows)


def _row(table: str, name: str, kind: str, present: Any) -> Row:
    # CalCOS takes the name of a file, with or without a folder, in place of a rootname.
    found = parse_name(name.rpartition("/")[2]).rootname if name.endswith(".fits") else name.lower()
    row = Row(found, kind, bool(present))
    if not _FREE_NAME.fullmatch(found) and (row.present or row.is_product):
        raise PermanentError(
            f"{table}: MEMNAME {name!r} names neither an exposure nor a product; correct the row"
        )
    return row
