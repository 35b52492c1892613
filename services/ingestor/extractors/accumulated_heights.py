"""Pulse-height histograms that ACCUM exposures have instead of events."""

import numpy as np

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.events.pulse_heights import heights_row
from services.ingestor.extractors.rows import Rows, Source, level_of
from shared.database.models.science import PULSE_HEIGHTS, PulseHeights
from shared.errors import PermanentError

__all__ = ["EXTRACTORS", "extract_accumulated_heights"]

_ACCUMULATED = 128
"""Pulse heights of an ACCUM histogram: 7 bits."""


def extract_accumulated_heights(source: Source) -> Rows:
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
    return heights_row(
        source, segment, level_of(source.headers[-1], f"HVLEVEL{segment[-1]}"), counts
    )


EXTRACTORS = (
    Extractor(table=PulseHeights, suffixes=("pha_a", "pha_b"), extract=extract_accumulated_heights),
)
