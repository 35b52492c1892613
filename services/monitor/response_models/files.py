"""Files in the store."""

from typing import Literal

from pydantic import Field

from services.monitor.response_models.common import ResponseModel, Timestamp

__all__ = ["FileRecord", "FileReference", "RunFileRecord"]


class FileReference(ResponseModel):
    """Which file an answer was read from."""

    id: int
    name: str
    run_id: int | None = Field(description="Run that made it; null for a raw file")


class RunFileRecord(ResponseModel):
    """A file of a run."""

    id: int
    name: str
    origin: Literal["raw", "product", "extra"] = Field(
        description="extra: what a recalibration leaves beside its products"
    )
    suffix: str = Field(description="Kind of file, e.g. x1d")
    size: int = Field(description="Size in the store, bytes")
    sha256: str = Field(description="Checksum of the stored bytes")


class FileRecord(ResponseModel):
    """A version of a file of a dataset."""

    id: int
    name: str
    rootname: str | None = Field(description="Rootname, where the name starts with one")
    suffix: str = Field(description="Kind of file, e.g. rawtag_a")
    origin: Literal["raw", "product", "extra"]
    size: int = Field(description="Size in the store, bytes")
    sha256: str = Field(description="Checksum of the stored bytes")
    run_id: int | None = Field(description="Run that made it; null for a raw file")
    current: bool = Field(description="Whether it is the newest version of its name")
    problems: list[str] = Field(description="What could not be read of it")
    created_at: Timestamp
