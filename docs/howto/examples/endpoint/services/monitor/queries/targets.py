"""Targets of exposures."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.operations import File
from shared.database.models.science import Header

__all__ = ["TargetRecord", "list_targets"]


@dataclass(frozen=True)
class TargetRecord:
    """A target: its name, how many exposures it has, and the sum of their times in seconds."""

    name: str
    exposures: int
    exptime: float | None


async def list_targets(session: AsyncSession, proposid: int) -> list[TargetRecord]:
    """List the targets of a proposal by name.

    Parameters
    ----------
    session
        Session to read in.
    proposid
        Number of the proposal.
    """
    # An exposure time that is not known is none; NaN would make that of all others unknown.
    known = Header.exptime.between(0.0, 1e9)
    query = (
        select(Header.targname, func.count(), func.sum(Header.exptime).filter(known))
        .join(File, File.id == Header.file_id)
        .where(File.shown, Header.preferred, Header.proposid == proposid)
        .group_by(Header.targname)
        .order_by(Header.targname)
    )
    return [
        TargetRecord(name, exposures, exptime)
        for name, exposures, exptime in await session.execute(query)
        if name is not None
    ]
