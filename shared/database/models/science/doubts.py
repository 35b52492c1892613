"""Flags of rows that are not believed."""

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base
from shared.database.models.science.base import double, integer, text

__all__ = ["DoubtfulTime"]


class DoubtfulTime(Base):
    """Times of a file that are no times of COS, by table and column.

    The plausibility monitor keeps the table.
    """

    __tablename__ = "doubtful_times"

    id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, comment="Key of the row, made of file and column"
    )
    file_id: Mapped[int] = mapped_column(
        ForeignKey("files.id", ondelete="CASCADE"),
        index=True,
        comment="File that the rows were measured from",
    )
    rootname: Mapped[str | None] = text("Rootname of the file; null where it has none")
    name: Mapped[str | None] = text("Name of the file")
    table_name: Mapped[str | None] = text("Table that the rows are in")
    column_name: Mapped[str | None] = text("Column that has the times")
    number: Mapped[int | None] = integer("Rows with such times")
    least: Mapped[float | None] = double("Least of these times, in the unit of the column")
    largest: Mapped[float | None] = double("Largest of these times, in the unit of the column")
