"""Remote archives: what they have, what is wanted of it, and how they are."""

from typing import Any, Literal

from pydantic import Field

from services.monitor.response_models.common import ResponseModel, Timestamp

__all__ = [
    "ArchiveDataset",
    "ArchiveSelectionRecord",
    "ArchiveStatus",
    "CatalogueStatus",
    "ListingRecord",
    "PlanRecord",
    "TransferRecord",
]


class ArchiveDataset(ResponseModel):
    """A dataset as the catalogues of remote archives have it."""

    dataset: str = Field(description="Rootname")
    association: str = Field(description="Rootname of its association, its own for one, or empty")
    proposal: int | None
    target: str
    ra: float | None = Field(description="Right ascension, degree")
    dec: float | None = Field(description="Declination, degree")
    configuration: str = Field(description="COS/FUV or COS/NUV; empty where it is not known")
    start: Timestamp | None = Field(description="Start of the exposure")
    public_from: Timestamp | None = Field(description="End of the exclusive period")
    generated: Timestamp | None = Field(description="When the archive made its products")
    archived: Timestamp | None = Field(description="When it was put into the archive")
    access: Literal["public", "exclusive", "unknown"] = Field(description="Who may have it")
    source: str = Field(description="Catalogue that the entry is from")
    delivery: int = Field(description="How often the archive delivered it, as far as was seen")
    first_seen: Timestamp
    last_seen: Timestamp = Field(description="Last full listing that had it")
    missing_since: Timestamp | None = Field(
        description="When a full listing no longer had it; null while it is there"
    )
    wanted: bool = Field(description="Whether it is fetched where everybody may have it")
    files_listed: bool = Field(description="Whether its files are known")


class PlanRecord(ResponseModel):
    """What fetching a selection amounts to."""

    datasets: int = Field(description="Datasets of the selection")
    coming: int = Field(description="Those that would be fetched, whole or in part")
    files: int = Field(description="Files that would come")
    bytes: int = Field(description="Bytes that would come, as the catalogues say")
    estimated: int = Field(
        description="How many of those datasets have files that were not listed yet: their share "
        "of files and bytes is an estimate by other datasets"
    )
    held: int = Field(description="Datasets that are held as the archive has them")
    exclusive: int = Field(
        description="Datasets of which not everybody may have the files; they are not fetched"
    )
    withdrawn: int = Field(description="Datasets that the archive no longer has")
    incomplete: int = Field(
        description="Datasets of which the archive has neither a raw file nor a table of members"
    )
    incomplete_names: list[str] = Field(description="The first of those")
    unknown: list[str] = Field(
        description="Proposals and targets of which no catalogue has anything"
    )
    room: int | None = Field(
        description="Room on the disk of the store, bytes; null where it is not known. Products "
        "need room besides"
    )
    fits: bool = Field(description="Whether there is room for what would come")
    listed_at: Timestamp | None = Field(
        description="Last full listing of a catalogue; null before the first one"
    )


class ListingRecord(ResponseModel):
    """A listing of a catalogue."""

    catalogue: str
    kind: Literal["full", "short"] = Field(
        description="full: all that it has; short: what was archived since the last one"
    )
    started_at: Timestamp
    finished_at: Timestamp
    entries: int = Field(description="Datasets that it had")
    new: int
    changed: int = Field(description="Datasets that the archive delivered again")
    missing: int = Field(description="Datasets that it no longer had")
    error: str | None = Field(description="Why it is not believed")


class CatalogueStatus(ResponseModel):
    """How a catalogue is."""

    catalogue: str = Field(description="mast, s3 or cadc")
    last_answer: Timestamp | None
    failing_since: Timestamp | None = Field(description="Null while it answers")
    retry_at: Timestamp | None = Field(description="When it is asked again")
    error: str | None = Field(description="What was wrong last")
    last_full: ListingRecord | None = Field(description="Last full listing that is believed")
    last_short: ListingRecord | None = Field(description="Last short one that is believed")


class ArchiveSelectionRecord(ResponseModel):
    """Datasets of remote archives that are wanted."""

    id: int
    selection: dict[str, Any] = Field(description="As it was given")
    description: str = Field(description="The same in words")
    order: Literal["newest", "oldest"] = Field(description="Which datasets come first")
    created_at: Timestamp
    created_by: str = Field(description="Name of the token, or COSMO_ARCHIVE__WANTED")
    ended_at: Timestamp | None = Field(description="When it was withdrawn")


class TransferRecord(ResponseModel):
    """What came from remote archives in the last hour."""

    datasets: int = Field(description="Datasets that came, the newest 200 at most")
    bytes: int = Field(description="Bytes of their files")
    seconds: float = Field(description="Time from the first attempt to the last end")
    bytes_per_second: float | None = Field(description="Rate of all workers together")


class ArchiveStatus(ResponseModel):
    """How remote archives are, what is wanted of them, and what waits."""

    catalogues: list[CatalogueStatus]
    entries: int = Field(description="Datasets that catalogues have")
    selections: list[ArchiveSelectionRecord] = Field(description="Those in force")
    refused: str | None = Field(
        None, description="Why what the settings want is refused; null where it is not"
    )
    wanted: PlanRecord = Field(description="What is wanted, and what of it is still to come")
    transfer: TransferRecord | None = Field(
        description="What came in the last hour; null for nothing"
    )
