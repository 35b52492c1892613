"""Recalibrations on request."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base

__all__ = ["Calibration"]


class Calibration(Base):
    """A recipe on a dataset, or its rehearsal; its job does it, and its run is what came out."""

    __tablename__ = "calibrations"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), index=True
    )
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), unique=True)
    run_id: Mapped[int | None] = mapped_column(
        ForeignKey("runs.id", ondelete="SET NULL"),
        comment="Its good run; null before that and for a rehearsal",
    )
    recipe: Mapped[dict[str, Any]] = mapped_column(comment="Recipe, in its canonical form")
    dry_run: Mapped[bool] = mapped_column(comment="Only lists the changes")
    requested_by: Mapped[str] = mapped_column(index=True, comment="Name of the token")
    changes: Mapped[list[Any]] = mapped_column(
        default=list, comment="Exact changes to headers and tables"
    )
    references: Mapped[dict[str, Any]] = mapped_column(
        default=dict, comment="Reference file name to keyword and SHA-256"
    )
    warnings: Mapped[list[Any]] = mapped_column(
        default=list, comment="Where the run is not what it seems"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    promoted_at: Mapped[datetime | None] = mapped_column(
        comment="When its products became the current ones"
    )
    promoted_by: Mapped[str | None] = mapped_column(comment="Name of the token")
