"""Tables of what remote archives have, and of what is wanted of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base
from shared.database.enum_column import enum_column

__all__ = [
    "Access",
    "ArchiveSelection",
    "CatalogueEntryRow",
    "CatalogueFileRow",
    "CatalogueHealth",
    "CatalogueListing",
    "ListingKind",
    "SelectionOrder",
]


class Access(StrEnum):
    """Who may have a dataset of an archive."""

    PUBLIC = "public"
    EXCLUSIVE = "exclusive"
    UNKNOWN = "unknown"


class ListingKind(StrEnum):
    """How much of a catalogue a listing asks for."""

    FULL = "full"
    SHORT = "short"


class SelectionOrder(StrEnum):
    """Which of the wanted datasets come first, by the start of the exposure."""

    NEWEST = "newest"
    OLDEST = "oldest"


class CatalogueEntryRow(Base):
    """A dataset as the catalogues of remote archives have it."""

    __tablename__ = "catalogue_entries"
    __table_args__ = (
        Index("ix_catalogue_entries_association", "association"),
        Index("ix_catalogue_entries_proposal", "proposal"),
        Index("ix_catalogue_entries_archived", "archived"),
        Index("ix_catalogue_entries_wanted", "dataset", postgresql_where=text("wanted")),
        Index(
            "ix_catalogue_entries_files_due",
            "start",
            postgresql_where=text("wanted AND files_due"),
        ),
    )

    dataset: Mapped[str] = mapped_column(primary_key=True, comment="Rootname, lower case")
    association: Mapped[str] = mapped_column(
        server_default="", comment="Rootname of its association, its own name for one, or empty"
    )
    proposal: Mapped[int | None]
    target: Mapped[str] = mapped_column(server_default="")
    ra: Mapped[float | None] = mapped_column(comment="Right ascension", info={"unit": "deg"})
    dec: Mapped[float | None] = mapped_column(comment="Declination", info={"unit": "deg"})
    configuration: Mapped[str] = mapped_column(
        server_default="", comment="COS/FUV or COS/NUV; empty where it is not known"
    )
    start: Mapped[datetime | None] = mapped_column(comment="Start of the exposure")
    public_from: Mapped[datetime | None] = mapped_column(comment="End of the exclusive period")
    generated: Mapped[datetime | None] = mapped_column(
        comment="When the archive's pipeline made its products"
    )
    archived: Mapped[datetime | None] = mapped_column(comment="When it was put into the archive")
    access: Mapped[Access] = mapped_column(enum_column(Access), server_default=Access.UNKNOWN.value)
    versions: Mapped[dict[str, Any]] = mapped_column(
        server_default="{}", comment="Version of the data by the catalogue that says so"
    )
    delivery: Mapped[int] = mapped_column(
        server_default="1", comment="How often the archive delivered it, as far as was seen"
    )
    source: Mapped[str] = mapped_column(comment="Catalogue from which the entry is")
    first_seen: Mapped[datetime]
    missing_since: Mapped[datetime | None] = mapped_column(
        comment="When a believed full listing no longer had it"
    )
    files_due: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="Its files must be listed before it is fetched"
    )
    wanted: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="A selection asks for it"
    )


class CatalogueFileRow(Base):
    """A file that a catalogue lists, of a kind that is fetched."""

    __tablename__ = "catalogue_files"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Canonical file name")
    dataset: Mapped[str] = mapped_column(
        ForeignKey("catalogue_entries.dataset", ondelete="CASCADE"),
        index=True,
        comment="Its own, or where there is no such entry the one for which it was listed",
    )
    uri: Mapped[str] = mapped_column(comment="The same whichever catalogue lists it")
    size: Mapped[int | None] = mapped_column(
        BigInteger, comment="What the catalogue says, which need not be so", info={"unit": "byte"}
    )
    md5: Mapped[str] = mapped_column(server_default="", comment="Hexadecimal; empty if not known")
    access: Mapped[Access] = mapped_column(enum_column(Access), server_default=Access.UNKNOWN.value)
    version: Mapped[str] = mapped_column(
        server_default="", comment="Changes when the archive delivers the file again"
    )
    identity: Mapped[str] = mapped_column(
        comment="Changes when the file was delivered again, whichever catalogue lists it"
    )
    catalogue: Mapped[str] = mapped_column(comment="Catalogue that listed it")


class CatalogueListing(Base):
    """A listing of a catalogue: when, and what it found."""

    __tablename__ = "catalogue_listings"
    __table_args__ = (Index("ix_catalogue_listings_started_at", "started_at"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    catalogue: Mapped[str]
    kind: Mapped[ListingKind] = mapped_column(enum_column(ListingKind))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]
    entries: Mapped[int] = mapped_column(server_default="0", comment="Entries that it had")
    new: Mapped[int] = mapped_column(server_default="0")
    changed: Mapped[int] = mapped_column(server_default="0", comment="Delivered again")
    missing: Mapped[int] = mapped_column(
        server_default="0", comment="Entries that were there before and no longer are"
    )
    error: Mapped[str | None] = mapped_column(comment="Why it is not believed")


class CatalogueHealth(Base):
    """Whether a catalogue answers."""

    __tablename__ = "catalogue_health"

    catalogue: Mapped[str] = mapped_column(primary_key=True)
    last_answer: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    retry_at: Mapped[datetime | None] = mapped_column(comment="Not asked before then")
    error: Mapped[str | None]


class ArchiveSelection(Base):
    """Datasets of remote archives that are wanted."""

    __tablename__ = "archive_selections"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    selection: Mapped[dict[str, Any]] = mapped_column(
        comment="Proposals, targets, cone, dates, configuration, or everything"
    )
    order: Mapped[SelectionOrder] = mapped_column(enum_column(SelectionOrder))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(comment="Who asked: a name, or the settings")
    ended_at: Mapped[datetime | None] = mapped_column(comment="When it was withdrawn")
