"""Pulse-height histograms: from events, and from the histograms that ACCUM exposures have
instead.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.events.exposure import Exposure, in_good_time
from services.ingestor.extractors.rows import Rows, Source, keywords, level_of, root_of
from shared.cos.detector import ACTIVE_AREAS
from shared.database.models.science import PULSE_HEIGHTS, PulseHeights
from shared.errors import PermanentError
from shared.fits import Columns

__all__ = ["PulseHeightHistogram", "extract_accumulated_pulse_heights"]

_ACCUMULATED = 128
"""Pulse heights of an ACCUM histogram: 7 bits."""

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
        return _row(self._source, self._exposure.segment, self._exposure.hvlevel, self._counts)


def extract_accumulated_pulse_heights(source: Source) -> Rows:
    """Return the row of ``phd`` of an ACCUM exposure, of its histogram of 128 heights, four of them
    in one.

    Raises
    ------
    PermanentError
        If the histogram is not there or has another shape.
    """
    images = [
        hdu for hdu in source.file.hdus[1:] if hdu.header.get("XTENSION") == "IMAGE" and hdu.size
    ]
    heights = source.file.image(images[0]).ravel() if images else np.zeros(0)
    if heights.size != _ACCUMULATED:
        raise PermanentError(
            f"{source.name}: {heights.size} pulse heights where an ACCUM histogram has "
            f"{_ACCUMULATED}"
        )
    segment = f"FUV{source.suffix[-1].upper()}"
    counts = heights.reshape(PULSE_HEIGHTS, -1).astype(np.int64).sum(axis=1)
    return _row(source, segment, level_of(source.headers[-1], f"HVLEVEL{segment[-1]}"), counts)


def _row(source: Source, segment: str, hvlevel: int | None, counts: NDArray[np.int64]) -> Rows:
    row: dict[str, object] = {
        "rootname": root_of(source),
        **keywords(PulseHeights, source, _COLUMNS),
        "segment": segment,
        "hvlevel": hvlevel,
        "counts": int(counts.sum()),
    }
    row.update({f"pha_{height}": int(count) for height, count in enumerate(counts)})
    return Rows(PulseHeights, [row])
