"""Re-populations of the science tables: what was asked for, which batches are done, which files
could not be read.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base

__all__ = ["Repopulation", "RepopulationBatch", "RepopulationFault"]


class Repopulation(Base):
    """One re-population."""

    __tablename__ = "repopulations"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    tables: Mapped[list[Any]] = mapped_column(comment="Names of the tables that are filled")
    revision: Mapped[str] = mapped_column(comment="Revision of the schema that they are filled for")
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(
        comment="When readers began to see the new content"
    )
    datasets: Mapped[int]


class RepopulationBatch(Base):
    """Datasets that one worker does at once; done with its rows or not at all."""

    __tablename__ = "repopulation_batches"
    __table_args__ = (
        UniqueConstraint("repopulation_id", "first_dataset"),
        Index(
            "ix_repopulation_batches_open",
            "repopulation_id",
            "id",
            postgresql_where=text("finished_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    repopulation_id: Mapped[int] = mapped_column(ForeignKey("repopulations.id", ondelete="CASCADE"))
    first_dataset: Mapped[int] = mapped_column(BigInteger, comment="Least key of its datasets")
    last_dataset: Mapped[int] = mapped_column(BigInteger, comment="Greatest key of its datasets")
    datasets: Mapped[int]
    finished_at: Mapped[datetime | None]
    files: Mapped[int] = mapped_column(default=0, comment="Files that rows were made of")
    rows: Mapped[int] = mapped_column(BigInteger, default=0)


class RepopulationFault(Base):
    """What could not be read of a file."""

    __tablename__ = "repopulation_faults"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    repopulation_id: Mapped[int] = mapped_column(
        ForeignKey("repopulations.id", ondelete="CASCADE"), index=True
    )
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), index=True)
    error: Mapped[str]
