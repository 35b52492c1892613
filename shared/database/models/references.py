"""Reference files uploaded for recipes."""

from datetime import datetime

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.base import Base

__all__ = ["UploadedReference"]


class UploadedReference(Base):
    """A reference file in the store, with where it comes from.

    Neither it nor its name ever changes.
    """

    __tablename__ = "uploaded_references"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True, comment="File name, by which recipes name it")
    keyword: Mapped[str] = mapped_column(index=True, comment="Reference keyword that it is for")
    calcos_version: Mapped[str] = mapped_column(comment="VCALCOS: oldest CalCOS that reads it")
    description: Mapped[str] = mapped_column(comment="DESCRIP of the file")
    pedigree: Mapped[str] = mapped_column(comment="PEDIGREE of the file")
    path: Mapped[str] = mapped_column(comment="Folder in the store")
    size: Mapped[int] = mapped_column(BigInteger, comment="Bytes")
    sha256: Mapped[str] = mapped_column(comment="Checksum of the plain file")
    uploaded_by: Mapped[str] = mapped_column(comment="Name of the token")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
