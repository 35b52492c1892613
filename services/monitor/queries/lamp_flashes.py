"""Lamp flashes of a dataset, as its page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.operations import File
from shared.database.models.science import Lampflash

__all__ = ["LampFlash", "lamp_flashes_of"]


@dataclass(frozen=True)
class LampFlash:
    """A flash of the wavelength calibration lamp in a segment, and the shifts that it gave.

    Attributes
    ----------
    rootname, segment, flash
        Exposure, segment or stripe, and number of the flash.
    time
        Time of the flash since the start of the exposure, s.
    shift_disp, x_shift, y_shift
        Shifts in dispersion, in dispersion without the offset of the FP position, and across it,
        pix.
    found
        Whether the lamp's spectrum was found.
    """

    rootname: str
    segment: str | None
    flash: int | None
    time: float | None
    shift_disp: float | None
    x_shift: float | None
    y_shift: float | None
    found: bool | None


async def lamp_flashes_of(session: AsyncSession, rootnames: Sequence[str]) -> list[LampFlash]:
    """List the flashes of exposures, by exposure, segment and number."""
    query = (
        select(
            Lampflash.rootname,
            Lampflash.segment,
            Lampflash.flash,
            Lampflash.time,
            Lampflash.shift_disp,
            Lampflash.x_shift,
            Lampflash.y_shift,
            Lampflash.found,
        )
        .join(File, File.id == Lampflash.file_id)
        .where(Lampflash.rootname.in_(rootnames), File.shown, Lampflash.segment.is_not(None))
        .order_by(Lampflash.rootname, Lampflash.segment, Lampflash.flash)
    )
    return [LampFlash(*row) for row in await session.execute(query)]
