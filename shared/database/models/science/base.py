"""Common parts of the science tables.

Keys, the file that a row was measured from, and columns that say what they hold.
"""

from typing import Any, ClassVar

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, MappedColumn, declared_attr, mapped_column

from shared.database.base import Base

__all__ = [
    "ROWS_PER_FILE",
    "PreferredRow",
    "ScienceRow",
    "double",
    "flag",
    "integer",
    "moment",
    "one_preferred",
    "packed",
    "row_key",
    "single",
    "small",
    "text",
]

ROWS_PER_FILE = 1 << 22
"""Most rows of one file in one table: a gain map has a million superpixels (2048 x 512)."""

Missing = tuple[float | str, ...]


def row_key(file_id: int, ordinal: int) -> int:
    """Return the key of a row.

    The same for the same file whenever and however often it is ingested.

    Parameters
    ----------
    file_id
        Key of the file.
    ordinal
        Number of the row among those of the file, from 0.
    """
    return file_id * ROWS_PER_FILE + ordinal


def _column(
    kind: Any, comment: str, unit: str | None, missing: Missing = (), keyword: str | None = None
) -> MappedColumn[Any]:
    """Return the column whose comment in the schema says its meaning and its unit."""
    info = {"meaning": comment, "unit": unit, "missing": missing, "keyword": keyword}
    return mapped_column(kind, comment=f"{comment} [{unit}]" if unit else comment, info=info)


def double(
    comment: str,
    unit: str | None = None,
    *,
    missing: Missing = (-999.0, 999.0),
    keyword: str | None = None,
) -> Mapped[float | None]:
    """Return the column of float64.

    Parameters
    ----------
    comment
        What it means.
    unit
        Its unit, as astropy writes it.
    missing
        Values of its keyword that say that nothing was measured (COS Data Handbook, header
        keywords).
    keyword
        FITS keyword, where it is not the name of the column.
    """
    return _column(Double, comment, unit, missing, keyword)


def moment(
    comment: str, unit: str = "d", *, keyword: str | None = None, planned: bool = False
) -> Mapped[float | None]:
    """Return the column of times that must be times of COS for its row to be believed (`believed`).

    Parameters
    ----------
    comment, keyword
        As of `double`.
    unit
        ``d`` for MJD, ``yr`` for decimal years.
    planned
        Whether it may lie ahead.
    """
    column = _column(Double, comment, unit, (-999.0, 999.0), keyword)
    column.column.info["moment"] = "planned" if planned else "past"
    return column


def integer(
    comment: str,
    unit: str | None = None,
    *,
    missing: Missing = (-999, -1),
    keyword: str | None = None,
) -> Mapped[int | None]:
    """Return the column of int64; parameters as of `double`."""
    return _column(BigInteger, comment, unit, missing, keyword)


def single(comment: str, unit: str | None = None) -> Mapped[float | None]:
    """Return the column of float32, for tables of very many rows; parameters as of `double`."""
    return _column(REAL, comment, unit)


def small(comment: str, unit: str | None = None) -> Mapped[int | None]:
    """Return the column of int16, for tables of very many rows; parameters as of `double`."""
    return _column(SmallInteger, comment, unit)


def text(
    comment: str, *, missing: Missing = ("", "N/A"), keyword: str | None = None
) -> Mapped[str | None]:
    """Return the column of text; parameters as of `double`."""
    return _column(String, comment, None, missing, keyword)


def flag(comment: str) -> Mapped[bool | None]:
    """Return the column of truth values."""
    return _column(Boolean, comment, None)


def packed(comment: str) -> Mapped[bytes]:
    """Return the column of bytes, which holds what would be very many rows."""
    return mapped_column(LargeBinary, comment=comment, info={"meaning": comment, "unit": None})


class ScienceRow(Base):
    """What every science table has.

    A key, the file that a row was measured from, and its rootname.
    """

    __abstract__ = True

    preferred_by: ClassVar[str | None] = None
    """Column of whose values each has one preferred row; None where readers see every row."""

    id: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        comment="Key of the row, made of its file's key and its number in the file",
    )
    rootname: Mapped[str] = mapped_column(index=True, comment="Rootname of the exposure or product")

    @declared_attr
    def file_id(cls) -> Mapped[int]:  # noqa: N805 - SQLAlchemy calls it on the class
        """Return the key of the file in ``files``."""
        return mapped_column(
            ForeignKey("files.id", ondelete="CASCADE"),
            index=True,
            comment="File that the row was measured from",
        )


class PreferredRow(ScienceRow):
    """A row of which every file of an exposure has one like it.

    Readers see that of the best file.
    """

    __abstract__ = True

    preferred_by = "rootname"
    preferred: Mapped[bool] = mapped_column(
        default=False,
        comment="The row of its rootname that readers see: x1d before corrtag before raw",
    )


def one_preferred(table: str, *columns: str) -> Index:
    """Return the index that sees to it that a table has one preferred row of each value of some
    columns.
    """
    return Index(
        f"ix_{table}_preferred",
        *columns,
        unique=True,
        postgresql_where=sql("preferred"),
        info={"purpose": "the one row that readers see"},
    )
