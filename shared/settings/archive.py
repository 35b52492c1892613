"""Settings of the archive service."""

from pathlib import Path

from pydantic import Field

from shared.settings.group import SettingsGroup

__all__ = ["ArchiveSettings"]


class ArchiveSettings(SettingsGroup):
    """Where datasets come from."""

    source: str | None = Field(None, description="Source to scan: a folder or any fsspec URL")
    scan_seconds: float = Field(60.0, gt=0, description="Pause between two scans")
    bulk_above: int = Field(
        100,
        ge=0,
        description="What a scan finds to fetch beyond so many datasets is bulk work, of low "
        "priority",
    )
    download_connections: int = Field(
        4, ge=1, description="Most files that a process downloads at once from one host"
    )
    download_connect_seconds: float = Field(
        10.0, gt=0, description="Time after which a host that takes no connection is given up"
    )
    download_silence_seconds: float = Field(
        60.0, gt=0, description="Time after which a download of which no byte comes is interrupted"
    )
    download_attempts: int = Field(
        4,
        ge=1,
        description="Interruptions in succession without progress after which a download is left "
        "to the next attempt of its job",
    )
    download_backoff_seconds: float = Field(
        1.0,
        ge=0,
        description="First pause before a download goes on; doubles each time, up to 30 s",
    )
    download_folder: Path | None = Field(
        None,
        description="Local folder of unfinished downloads; if left out, one in the store where "
        "that is a local folder, which all workers share, and else one in TMPDIR",
    )
