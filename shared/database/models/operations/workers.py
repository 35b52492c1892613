"""Worker processes, and the CalCOS that they published."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base

__all__ = ["CalcosVersion", "Worker"]


class Worker(Base):
    """A worker process that has signed and not signed off."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Name of the process among all")
    service: Mapped[str] = mapped_column(comment="Service that it belongs to")
    seen_at: Mapped[datetime] = mapped_column(comment="When it last signed")
    paused: Mapped[str | None] = mapped_column(
        comment="Trouble of its environment, for which it takes no jobs"
    )
    fault: Mapped[str | None] = mapped_column(comment="Why it cannot take jobs")
    queues: Mapped[list[Any]] = mapped_column(
        server_default="[]", comment="Names of the queues that it works on"
    )


class CalcosVersion(Base):
    """A version of CalCOS that a calibrator published at its start; the last one counts."""

    __tablename__ = "calcos_versions"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    version: Mapped[str] = mapped_column(comment="As the package says it")
    published_at: Mapped[datetime] = mapped_column(server_default=func.now())
