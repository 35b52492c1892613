"""What reductions need of an exposure beside its events."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.reading import Source, number, root_of
from shared.cos.detector import FUV_SEGMENTS
from shared.errors import PermanentError
from shared.fits import Columns

__all__ = ["Exposure", "in_good_time", "read_exposure"]

_BAD_TIME = 64 | 2048
"""Data quality bits of bursts and of bad time: such events are not within the good time intervals."""


@dataclass(frozen=True)
class Exposure:
    """One segment of an exposure.

    Attributes
    ----------
    rootname
        Lower case.
    segment
        FUVA, FUVB or NUV.
    expstart
        Start, MJD UTC.
    exptime
        Good time in seconds.
    good
        Good time intervals, shape (n, 2): start and stop in seconds since ``expstart``.
    hvlevel
        High voltage level; None for NUV or where it is not known.
    """

    rootname: str
    segment: str
    expstart: float
    exptime: float
    good: NDArray[np.float64]
    hvlevel: int | None

    @property
    def stop(self) -> float:
        """End of the last good time interval, in seconds since ``expstart``."""
        return float(self.good[:, 1].max()) if len(self.good) else 0.0


def in_good_time(events: Columns) -> NDArray[np.bool_]:
    """Whether events are neither in bursts nor in bad time, by their column DQ."""
    return np.asarray((events["DQ"] & _BAD_TIME) == 0)


def read_exposure(source: Source) -> Exposure:
    """Read what reductions need of a corrtag file beside its events.

    Raises
    ------
    PermanentError
        If a keyword or the good time intervals are missing or wrong.
    """
    header: dict[str, Any] = {**source.headers[-1], **source.headers[0]}
    detector, segment = (str(header.get(keyword) or "").strip() for keyword in ("DETECTOR", "SEGMENT"))
    if detector == "NUV":
        segment = "NUV"
    elif segment not in FUV_SEGMENTS:
        raise PermanentError(f"{source.name}: SEGMENT is {segment!r} where FUVA or FUVB belongs")
    level = header.get(f"HVLEVEL{segment[-1]}") if detector != "NUV" else None
    expstart = number(header, "EXPSTART", source.name)
    if expstart <= 0:
        raise PermanentError(f"{source.name}: EXPSTART is {expstart}, so that no time in it is known")
    return Exposure(
        rootname=root_of(source),
        segment=segment,
        expstart=expstart,
        exptime=number(header, "EXPTIME", source.name),
        good=_good_times(source),
        hvlevel=level if type(level) is int and level >= 0 else None,
    )


def _good_times(source: Source) -> NDArray[np.float64]:
    table = source.file.table(source.file.find("GTI"), ["START", "STOP"])
    good = np.stack([table["START"], table["STOP"]], axis=-1).astype(np.float64)
    if not np.isfinite(good).all() or (good[:, 1] < good[:, 0]).any() or (np.abs(good) > _LONGEST).any():
        raise PermanentError(f"{source.name}: its good time intervals make no sense")
    return good


_LONGEST = 86400.0
"""Longest exposure that is believed, in seconds; an orbit has 5,750."""
