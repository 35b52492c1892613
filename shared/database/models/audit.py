"""Audit of changes over HTTP."""

from datetime import datetime

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base

__all__ = ["AuditEntry"]


class AuditEntry(Base):
    """A call that would change state, sent with a known token.

    The database refuses to change or delete entries.
    """

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    token: Mapped[str] = mapped_column(index=True, comment="Name of the token")
    method: Mapped[str]
    path: Mapped[str] = mapped_column(comment="Path and query of the address")
    subject: Mapped[str | None] = mapped_column(
        comment="What it was about, where the address does not say it"
    )
    status: Mapped[int] = mapped_column(comment="Outcome: HTTP status of the answer")
