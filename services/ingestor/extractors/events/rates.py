"""Peak count rates.

The brightest second and the brightest place of an exposure, and its good time.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.events.declaration import Reduction
from services.ingestor.extractors.events.exposure import Exposure, in_good_time
from services.ingestor.extractors.rows import Rows, Source
from shared.cos.detector import ACTIVE_AREAS, DARK_REGIONS
from shared.database.models.science import EventRates
from shared.fits import Columns

__all__ = ["REDUCTION", "PeakRates"]

_CELLS = {"FUVA": 2, "FUVB": 2, "NUV": 1}
"""Side of the squares that the local maximum is one of, in pixels. The lines of the FUV are 6
pixels wide (FWHM.

COS
Instrument Handbook): the mean of two pixels is 3 to 10 % below the peak, that of a superpixel of
the gain maps (8) 30 % and more. An NUV pixel is one of the detector's, whose limit is by pixel."""


class PeakRates:
    """Events by second and by place in the active area (of the NUV everywhere), which has no stims.

    Seconds in which a lamp flashed are left out: lines of lamps come near, and above, the limits
    that sources are held to, and nobody can plan them otherwise. Events of bursts and of bad time
    are what the detector bore, and count for the brightest second; for the brightest place, which
    is a rate in good time, they do not. An ACCUM exposure has no seconds.

    Parameters
    ----------
    source
        File.
    exposure
        What it is of.
    """

    COLUMNS: ClassVar = frozenset({"TIME", "XCORR", "YCORR", "DQ"})

    def __init__(self, source: Source, exposure: Exposure) -> None:
        self._exposure = exposure
        self._timed = str(source.headers[0].get("OBSMODE") or "").strip() == "TIME-TAG"
        self._area = ACTIVE_AREAS.get(exposure.segment, DARK_REGIONS["NUV"]["all"])
        self._cell = _CELLS[exposure.segment]
        self._first = np.array([self._area.y0, self._area.x0]) // self._cell
        last = np.array([self._area.y1, self._area.x1]) // self._cell
        self._shape = (last - self._first + 1).astype(np.intp)
        self._end = max(exposure.stop, float(exposure.raw_good.max(initial=0.0)))
        self._quiet = np.ones(int(self._end) + 1, dtype=bool)
        self._flashes = [(int(on), int(np.ceil(off))) for on, off in exposure.flashes]
        for on, off in self._flashes:
            self._quiet[on:off] = False
        self._seconds = np.zeros(len(self._quiet), dtype=np.int64)
        self._cells: list[NDArray[np.int32]] = []

    def add(self, events: Columns) -> None:
        """Take in a part of the events."""
        x, y, time = events["XCORR"], events["YCORR"], events["TIME"]
        inside = self._area.contains(x, y) & (time >= 0.0) & (time <= self._end)
        self._seconds += np.bincount(time[inside].astype(np.int32), minlength=len(self._seconds))
        kept = inside & in_good_time(events)
        for on, off in self._flashes:
            kept &= (time < on) | (time >= off)
        row, column = (
            self._number(values[kept], first)
            for values, first in zip((y, x), self._first, strict=True)
        )
        row *= np.int32(self._shape[1])
        row += column
        self._cells.append(row)

    def _number(self, values: NDArray[np.floating], first: np.floating) -> NDArray[np.int32]:
        """Return the numbers of the cells that pixels are in.

        A pixel reaches half a pixel to both sides of its number.
        """
        scale, shift = np.float32(1.0 / self._cell), np.float32(0.5 / self._cell - first)
        return np.asarray(values * scale + shift).astype(np.int32)

    def rows(self) -> Rows:
        """Return the row of ``event_rates``."""
        exposure = self._exposure
        row = {
            "rootname": exposure.rootname,
            "segment": exposure.segment,
            "expstart": exposure.expstart,
            "exptime": exposure.exptime,
            "good_time": _length(exposure.good),
            "intervals": len(exposure.good),
            "raw_time": _length(exposure.raw_good),
            "raw_intervals": len(exposure.raw_good),
            **self._brightest_second(),
            **self._brightest_place(),
        }
        return Rows(EventRates, [row])

    def _brightest_second(self) -> dict[str, object]:
        counts = np.where(self._quiet, self._seconds, 0)
        if not self._timed or not counts.any():
            return {}
        second = int(counts.argmax())
        return {"second_counts": int(counts[second]), "second_start": float(second)}

    def _brightest_place(self) -> dict[str, object]:
        time = self._quiet_time()
        cells = np.concatenate([np.zeros(0, np.int32), *self._cells])
        if time <= 0.0 or not len(cells):
            return {}
        counts = np.bincount(cells)
        brightest = int(counts.argmax())
        y, x = (np.array(np.divmod(brightest, self._shape[1])) + self._first) * self._cell + (
            self._cell - 1
        ) / 2.0
        return {
            "local_counts": int(counts[brightest]),
            "local_rate": float(counts[brightest] / (self._cell**2 * time)),
            "local_x": float(x),
            "local_y": float(y),
        }

    def _quiet_time(self) -> float:
        """Return the good time outside the seconds in which a lamp flashed, in seconds."""
        lit = np.flatnonzero(~self._quiet)[:, None]
        good = self._exposure.good
        flashed = np.clip(
            np.minimum(good[:, 1], lit + 1.0) - np.maximum(good[:, 0], lit), 0.0, None
        ).sum()
        return _length(good) - float(flashed)


def _length(intervals: NDArray[np.float64]) -> float:
    return float((intervals[:, 1] - intervals[:, 0]).sum())


REDUCTION = Reduction(
    table=EventRates,
    accumulator=PeakRates,
    only={},
)
