"""Events of datasets and monitors."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Sequence, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base

__all__ = ["EVENT_SEQUENCE", "Event"]


EVENT_SEQUENCE = Sequence("events_sequence", data_type=BigInteger, metadata=Base.metadata)
"""Places of events in the feed; it never goes back, whatever is deleted."""


class Event(Base):
    """A fact that happened to a dataset or a monitor; append-only.

    Ids become visible in any order, though those of one dataset in theirs, since its row is locked.
    Who follows what happens goes by `sequence`.
    """

    __tablename__ = "events"
    __table_args__ = (
        # Partial, so that to give a place changes no key that a foreign one might refer to.
        Index(
            "ix_events_sequence",
            "sequence",
            unique=True,
            postgresql_where=text("sequence IS NOT NULL"),
        ),
        Index("ix_events_dataset_id_id", "dataset_id", "id"),
        Index("ix_events_name_sequence", "name", "sequence"),
        Index("ix_events_of_monitors", "sequence", postgresql_where=text("monitor IS NOT NULL")),
        Index("ix_events_unplaced", "id", postgresql_where=text("sequence IS NULL")),
        CheckConstraint("num_nonnulls(dataset_id, monitor) <= 1", name="at_most_one_subject"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    sequence: Mapped[int | None] = mapped_column(
        BigInteger,
        comment="Place in the feed, in the order of commits; null until the sequencer has given it",
    )
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    name: Mapped[str] = mapped_column(comment="e.g. dataset.fetched")
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    monitor: Mapped[str | None] = mapped_column(comment="Name of the monitor that it happened to")
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
