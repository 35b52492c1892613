"""Version of CalCOS that results are made with, as the calibrator publishes it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.operations import CalcosVersion

__all__ = ["publish_calcos_version", "read_calcos_version"]


async def publish_calcos_version(session: AsyncSession, version: str) -> None:
    """Publish the version of CalCOS that is installed; it counts until another one is published.

    Parameters
    ----------
    session
        Session of a transaction.
    version
        The version.
    """
    if await read_calcos_version(session) != version:
        session.add(CalcosVersion(version=version))


async def read_calcos_version(session: AsyncSession) -> str | None:
    """Read the version that was published last; None where no calibrator ever ran."""
    newest = select(CalcosVersion.version).order_by(CalcosVersion.id.desc()).limit(1)
    return (await session.execute(newest)).scalar_one_or_none()
