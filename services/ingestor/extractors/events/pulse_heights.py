"""Pulse-height histograms of events."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.events.declaration import Reduction
from services.ingestor.extractors.events.exposure import Exposure, in_good_time
from services.ingestor.extractors.rows import Rows, Source, keywords, root_of
from shared.cos.detector import ACTIVE_AREAS
from shared.database.models.science import PULSE_HEIGHTS, PulseHeights
from shared.fits import Columns

__all__ = ["REDUCTION", "PulseHeightHistogram", "heights_row"]

_COLUMNS = frozenset({"expstart", "exptime", "life_adj", "opt_elem", "obsmode"})


class PulseHeightHistogram:
    """Events of each pulse height in the active area, which has no stims.

    Parameters
    ----------
    source
        File.
    exposure
        What it is of.
    """

    COLUMNS: ClassVar = frozenset({"XCORR", "YCORR", "DQ", "PHA"})

    def __init__(self, source: Source, exposure: Exposure) -> None:
        self._source = source
        self._exposure = exposure
        self._area = ACTIVE_AREAS[exposure.segment]
        self._counts = np.zeros(PULSE_HEIGHTS, dtype=np.int64)

    def add(self, events: Columns) -> None:
        """Take in a part of the events."""
        inside = self._area.contains(events["XCORR"], events["YCORR"]) & in_good_time(events)
        self._counts += np.bincount(events["PHA"][inside], minlength=PULSE_HEIGHTS)

    def rows(self) -> Rows:
        """Return the row of ``phd``."""
        return heights_row(
            self._source, self._exposure.segment, self._exposure.hvlevel, self._counts
        )


def heights_row(
    source: Source, segment: str, hvlevel: int | None, counts: NDArray[np.int64]
) -> Rows:
    """Return the row of ``phd``, of the counts of each pulse height."""
    row: dict[str, object] = {
        "rootname": root_of(source),
        **keywords(PulseHeights, source, _COLUMNS),
        "segment": segment,
        "hvlevel": hvlevel,
        "counts": int(counts.sum()),
    }
    row.update({f"pha_{height}": int(count) for height, count in enumerate(counts)})
    return Rows(PulseHeights, [row])


REDUCTION = Reduction(
    table=PulseHeights,
    accumulator=PulseHeightHistogram,
    only={"OBSMODE": "TIME-TAG", "DETECTOR": "FUV"},
)
