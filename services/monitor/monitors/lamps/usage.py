"""Hours that each lamp has burnt at each current."""

from dataclasses import dataclass

import numpy as np

from services.monitor.framework.declaration import Columns, RowQuery, Values
from services.monitor.library.exposure_values import take, values_of
from services.monitor.library.groups import codes_of
from services.monitor.library.shown_rows import shown
from shared.database.models.science import ExposureQuality

__all__ = ["Usage", "exposures_query", "hours_before", "usage_values", "usages_of"]

_LAMPS = ("P1", "P2")
_HOUR = 3600.0
_FLASH_ERROR = 0.2 / 6.0**0.5
"""Standard deviation of the length of a flash, s: both its ends are known to bins of 0.2 s (CalCOS
3.6.2, ``concurrent.py``)."""


@dataclass(frozen=True)
class Usage:
    """Exposures in which a lamp was on at a current, in the order of time.

    Attributes
    ----------
    name
        Lamp and current.
    columns
        Of the exposures.
    hours, error
        Hours that it had burnt at the end of each, and their one-sigma errors; shape (n,).
    """

    name: str
    columns: Columns
    hours: np.ndarray
    error: np.ndarray


def exposures_query() -> RowQuery:
    """Return the query for all exposures with a lamp of the wavelength calibration."""
    table = ExposureQuality
    return (
        shown(
            table,
            table.file_id,
            table.rootname,
            table.expstart.label("mjd"),
            table.exptype,
            table.exptime,
            table.lamp_seconds,
            table.numflash,
            table.lampused,
            table.lampset,
        )
        .where(table.expstart.is_not(None), table.lampused.in_(_LAMPS))
        .order_by(table.expstart, table.id)
    )


def usages_of(exposures: Columns) -> list[Usage]:
    """Sum up the hours of each lamp and current: its flashes, and all of wavecal exposures.

    Parameters
    ----------
    exposures
        Columns of `exposures_query`.
    """
    wavecal = exposures["exptype"] == "WAVECAL"
    seconds = np.where(wavecal, exposures["exptime"], exposures["lamp_seconds"])
    flashes = np.where(wavecal, 0.0, np.nan_to_num(exposures["numflash"]))
    on = seconds > 0
    lit, seconds, flashes = take(exposures, on), seconds[on], flashes[on]
    (lamp, lamps), (current, currents) = codes_of(lit["lampused"]), codes_of(lit["lampset"])
    found = []
    for number in np.unique(lamp * max(len(currents), 1) + current).tolist():
        first, second = divmod(number, len(currents))
        mine = (lamp == first) & (current == second)
        found.append(
            Usage(
                name=f"{lamps[first]} {currents[second]}",
                columns=take(lit, mine),
                hours=np.cumsum(seconds[mine]) / _HOUR,
                error=_FLASH_ERROR * np.sqrt(np.cumsum(flashes[mine])) / _HOUR,
            )
        )
    return found


def hours_before(flashes: Columns, usages: list[Usage]) -> np.ndarray:
    """Return the hours that the lamp of each flash had burnt at its current before the exposure.

    NaN where no header names its lamp; shape (n,).

    Parameters
    ----------
    flashes
        Flashes.
    usages
        From `usages_of`.
    """
    found = np.full(len(flashes["mjd"]), np.nan)
    for usage in usages:
        lamp, _, current = usage.name.partition(" ")
        mine = (flashes["lampused"] == lamp) & (flashes["lampset"] == current)
        place = np.searchsorted(usage.columns["mjd"], flashes["mjd"][mine])
        found[mine] = np.concatenate([[0.0], usage.hours])[place]
    return found


def usage_values(usage: Usage) -> Values:
    """Return the hours at the end of each exposure; the region is lamp and current."""
    return values_of("hours", usage.columns, usage.hours, usage.error, region=usage.name)
