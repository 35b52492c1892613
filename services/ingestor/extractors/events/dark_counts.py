"""Dark counts of every superpixel and pulse height: what superdarks and the search for hot spots
are made of.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.events.declaration import Reduction
from services.ingestor.extractors.events.exposure import Exposure, in_good_time
from services.ingestor.extractors.rows import Rows, Source
from shared.cos.detector import ACTIVE_AREAS, DARK_REGIONS, GAIN_SHAPE, X_BINNING, Y_BINNING
from shared.cos.superpixels import pack_counts
from shared.database.models.science import PULSE_HEIGHTS, DarkCounts
from shared.fits import Columns

__all__ = ["REDUCTION", "DarkCountMap"]


class DarkCountMap:
    """Events of a dark exposure by superpixel and pulse height: of the active area, or of the whole
    NUV detector.

    Parameters
    ----------
    exposure
        What the events are of.
    """

    COLUMNS: ClassVar = frozenset({"XCORR", "YCORR", "DQ", "PHA"})

    def __init__(self, _source: Source, exposure: Exposure) -> None:
        self._exposure = exposure
        self._area = ACTIVE_AREAS.get(exposure.segment, DARK_REGIONS["NUV"]["all"])
        self._cells: list[NDArray[np.int64]] = []

    def add(self, events: Columns) -> None:
        """Take in a part of the events."""
        x, y = np.rint(events["XCORR"]).astype(np.int64), np.rint(events["YCORR"]).astype(np.int64)
        inside = self._area.contains(events["XCORR"], events["YCORR"]) & in_good_time(events)
        pixel = y[inside] // Y_BINNING * GAIN_SHAPE[1] + x[inside] // X_BINNING
        self._cells.append(pixel * PULSE_HEIGHTS + events["PHA"][inside])

    def rows(self) -> Rows:
        """Return the row of ``dark_counts``."""
        cells, counts = np.unique(
            np.concatenate([np.zeros(0, np.int64), *self._cells]), return_counts=True
        )
        exposure = self._exposure
        row = {
            "rootname": exposure.rootname,
            "detector": exposure.segment,
            "mjd": exposure.expstart,
            "exposure": float((exposure.good[:, 1] - exposure.good[:, 0]).sum()),
            "hvlevel": exposure.hvlevel,
            "counts": int(counts.sum()),
            "content": pack_counts(cells, counts),
        }
        return Rows(DarkCounts, [row])


REDUCTION = Reduction(
    table=DarkCounts,
    accumulator=DarkCountMap,
    only={"OBSMODE": "TIME-TAG", "EXPTYPE": "DARK"},
)
