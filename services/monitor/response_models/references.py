"""Uploaded reference files."""

from pydantic import Field

from services.monitor.response_models.common import ResponseModel, Timestamp

__all__ = ["ReferenceRecord"]


class ReferenceRecord(ResponseModel):
    """A reference file that was uploaded for recipes; neither it nor its name ever changes."""

    id: int
    name: str = Field(description="File name, by which recipes name it")
    keyword: str = Field(description="Reference keyword that it is for, e.g. FLATFILE")
    calcos_version: str = Field(description="VCALCOS: oldest CalCOS that reads it")
    description: str = Field(description="DESCRIP of the file")
    pedigree: str = Field(description="PEDIGREE of the file")
    size: int = Field(description="Size, bytes")
    sha256: str = Field(description="Checksum of the plain file")
    uploaded_by: str = Field(description="Name of the token")
    created_at: Timestamp
