"""Properties of an exposure that reductions need beside its events."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.rows import Source, finite, level_of, number, root_of
from shared.cos.detector import FUV_SEGMENTS
from shared.errors import PermanentError
from shared.fits import Columns

__all__ = ["Exposure", "in_good_time", "read_exposure"]

_BAD_TIME = 64 | 2048
"""Data quality bits of bursts and of bad time: such events are not within the good time intervals.
"""


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
        Good time in seconds; None where it is not known.
    good
        Good time intervals, shape (n, 2): start and stop in seconds since ``expstart``. Where
        CalCOS took bad time or bursts out of them, what is left.
    raw_good
        Those of the raw file.
    flashes
        When a lamp was on, shape (n, 2), in seconds since ``expstart``.
    hvlevel
        High voltage level; None for NUV or where it is not known.
    """

    rootname: str
    segment: str
    expstart: float
    exptime: float | None
    good: NDArray[np.float64]
    raw_good: NDArray[np.float64]
    flashes: NDArray[np.float64]
    hvlevel: int | None

    @property
    def stop(self) -> float:
        """End of the last good time interval, in seconds since ``expstart``."""
        return float(self.good[:, 1].max()) if len(self.good) else 0.0


def in_good_time(events: Columns) -> NDArray[np.bool_]:
    """Return whether events are neither in bursts nor in bad time, by their column DQ."""
    return np.asarray((events["DQ"] & _BAD_TIME) == 0)


def read_exposure(source: Source) -> Exposure:
    """Read what reductions need of a corrtag file beside its events.

    Raises
    ------
    PermanentError
        If a keyword or the good time intervals are missing or wrong.
    """
    header: dict[str, Any] = {**source.headers[-1], **source.headers[0]}
    detector, segment = (
        str(header.get(keyword) or "").strip() for keyword in ("DETECTOR", "SEGMENT")
    )
    if detector == "NUV":
        segment = "NUV"
    elif segment not in FUV_SEGMENTS:
        raise PermanentError(f"{source.name}: SEGMENT is {segment!r} where FUVA or FUVB belongs")
    expstart = number(header, "EXPSTART", source.name)
    if expstart <= 0:
        raise PermanentError(
            f"{source.name}: EXPSTART is {expstart}, so that no time in it is known"
        )
    tables = _good_times(source)
    exptime = finite(header.get("EXPTIME"))
    if exptime is None:
        source.note(
            f"{source.headers[-1].get('EXTNAME')}: EXPTIME is {header.get('EXPTIME')!r} where a "
            "number belongs"
        )
    return Exposure(
        rootname=root_of(source),
        segment=segment,
        expstart=expstart,
        exptime=exptime,
        good=tables[-1],
        raw_good=tables[0],
        flashes=_flashes(header),
        hvlevel=level_of(header, f"HVLEVEL{segment[-1]}") if detector != "NUV" else None,
    )


def _good_times(source: Source) -> list[NDArray[np.float64]]:
    """Return the good time intervals of every table of them.

    CalCOS adds one to that of the raw file where it changes them.
    """
    hdus = sorted(
        (hdu for hdu in source.file.hdus if hdu.name == "GTI"), key=lambda hdu: hdu.version
    )
    if not hdus:
        raise PermanentError(f"{source.name}: no extension GTI")
    tables = []
    for hdu in hdus:
        table = source.file.table(hdu, ["START", "STOP"])
        good = np.stack([table["START"], table["STOP"]], axis=-1).astype(np.float64)
        if (
            not np.isfinite(good).all()
            or (good[:, 1] < good[:, 0]).any()
            or (np.abs(good) > _LONGEST).any()
        ):
            raise PermanentError(f"{source.name}: its good time intervals make no sense")
        tables.append(good)
    return tables


def _flashes(header: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return when a lamp flashed (LMP_ONn, LMPOFFn), as far as it can be read."""
    flashes = range(1, round(min(finite(header.get("NUMFLASH")) or 0.0, _MOST_FLASHES)) + 1)
    times = [
        (finite(header.get(f"LMP_ON{flash}")), finite(header.get(f"LMPOFF{flash}")))
        for flash in flashes
    ]
    known = [
        (on, off)
        for on, off in times
        if on is not None and off is not None and 0.0 <= on < off < _LONGEST
    ]
    return np.array(known, dtype=np.float64).reshape(-1, 2)


_MOST_FLASHES = 999
"""A keyword has no room for more."""

_LONGEST = 86400.0
"""Longest exposure that is believed, in seconds; an orbit has 5,750."""
