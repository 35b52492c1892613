"""What the sources have, and the scans that found it."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base

__all__ = ["Scan", "SourceFile", "SourceVisit"]


class SourceFile(Base):
    """A file as the last scan of a source saw it."""

    __tablename__ = "source_files"
    __table_args__ = (
        UniqueConstraint("source", "url"),
        Index("ix_source_files_visit", "source", "visit"),
        Index("ix_source_files_listed", "id", postgresql_where=text("listed IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source: Mapped[str] = mapped_column(comment="URL of the source")
    stem: Mapped[str] = mapped_column(comment="Canonical file name up to .fits")
    url: Mapped[str]
    name: Mapped[str] = mapped_column(comment="Canonical file name")
    identity: Mapped[str] = mapped_column(
        comment="Changes when the file changes (size, time or ETag)"
    )
    size: Mapped[int] = mapped_column(BigInteger)
    md5: Mapped[str] = mapped_column(
        server_default="", comment="MD5 that the source lists, hexadecimal; empty if it lists none"
    )
    modified: Mapped[float | None] = mapped_column(
        comment="Time of its last change", info={"unit": "s since 1970"}
    )
    visit: Mapped[str] = mapped_column(
        server_default="", comment="Key of `source_visits`, with whose files it is grouped"
    )
    present: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="The source has it, and its header was read"
    )
    listed: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True),
        comment="Its identity, size and time in the source where its header is to be read",
    )
    facts: Mapped[dict[str, Any]] = mapped_column(
        default=dict, comment="What grouping needs of its header"
    )
    dataset: Mapped[str | None] = mapped_column(
        index=True, comment="Rootname of the dataset it belongs to"
    )
    fetched_identity: Mapped[str | None] = mapped_column(
        comment="Identity of the version that is in the store"
    )
    file_id: Mapped[int | None] = mapped_column(
        ForeignKey("files.id", ondelete="SET NULL"), comment="That version"
    )


class SourceVisit(Base):
    """Files of a source whose names begin alike, which are grouped into datasets together."""

    __tablename__ = "source_visits"
    __table_args__ = (
        Index("ix_source_visits_pending", "source", "visit", postgresql_where=text("pending > 0")),
        Index("ix_source_visits_links", "source", "visit", postgresql_where=text("links <> '[]'")),
    )

    source: Mapped[str] = mapped_column(primary_key=True, comment="URL of the source")
    visit: Mapped[str] = mapped_column(
        primary_key=True, comment="First characters of the rootnames"
    )
    pending: Mapped[int] = mapped_column(
        BigInteger, server_default="0", comment="Number of changes that its datasets do not show"
    )
    rules: Mapped[int] = mapped_column(
        server_default="0", comment="Version of the rules by which its datasets were made"
    )
    links: Mapped[list[Any]] = mapped_column(
        server_default="[]", comment="Other visits that the headers of its files name"
    )
    files: Mapped[int] = mapped_column(server_default="0", comment="Number of its input files")
    datasets: Mapped[int] = mapped_column(server_default="0", comment="Number of its datasets")
    left_aside: Mapped[dict[str, Any]] = mapped_column(
        server_default="{}",
        comment="Files in no dataset: their number and some names, by the reason",
    )
    references: Mapped[dict[str, Any]] = mapped_column(
        server_default="{}",
        comment="SHA-256 of the reference files that its headers name: null for one that is not "
        "there, empty where nobody looked",
    )


class Scan(Base):
    """One look at a source."""

    __tablename__ = "scans"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime] = mapped_column(server_default=func.now())
    files: Mapped[int]
    changed: Mapped[int]
    datasets: Mapped[int]
    left_aside: Mapped[dict[str, Any]] = mapped_column(
        default=dict,
        server_default="{}",
        comment="Files in no dataset: their number and some names, by the reason",
    )
