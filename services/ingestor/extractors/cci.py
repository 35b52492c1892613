"""Cumulative images (CCI).

A week of one segment at one high voltage, one image for each pulse height.
"""

import numpy as np

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.events.gains import count_rows, gain_rows
from services.ingestor.extractors.rows import Rows, Source, level_of, number
from shared.cos.detector import ACTIVE_AREAS, GAIN_SHAPE, X_BINNING, Y_BINNING
from shared.cos.gain import LEAST_COUNTS
from shared.database.models.science import PULSE_HEIGHTS, Gain
from shared.errors import PermanentError

__all__ = ["EXTRACTORS", "extract_cumulative_gain"]

_IMAGES = 2
"""HDU of the first image; before it are the primary one and the list of exposures."""

_ACCUM = frozenset({"02", "03"})
"""What names of images of ACCUM exposures have in place of 00 and 01: their pulse heights give no
gain (legacy gain monitor, which takes only counts and charge from them)."""


def extract_cumulative_gain(source: Source) -> Rows:
    """Return the rows of ``gain`` of a cumulative image.

    Those of ACCUM exposures have counts and charge, and no gain.

    Raises
    ------
    PermanentError
        If a keyword or an image is missing or wrong.
    """
    primary = source.file.headers[0]
    segment = str(primary.get("SEGMENT") or "").strip()
    if segment not in ACTIVE_AREAS:
        raise PermanentError(f"{source.name}: SEGMENT is {segment!r} where FUVA or FUVB belongs")
    images = source.file.hdus[_IMAGES : _IMAGES + PULSE_HEIGHTS]
    if len(images) != PULSE_HEIGHTS:
        raise PermanentError(
            f"{source.name}: {len(images)} images where there are {PULSE_HEIGHTS} pulse heights"
        )
    area = ACTIVE_AREAS[segment]
    shape = GAIN_SHAPE[0] * Y_BINNING, GAIN_SHAPE[1] * X_BINNING
    y, x = np.ogrid[: shape[0], : shape[1]]
    active = area.contains(x, y)
    binned = np.zeros((GAIN_SHAPE[0] * GAIN_SHAPE[1], PULSE_HEIGHTS), dtype=np.int32)
    for height, image in enumerate(source.file.images(images)):
        if image.shape != shape:
            raise PermanentError(
                f"{source.name}: HDU {_IMAGES + height} has the shape {image.shape}, not {shape}"
            )
        blocks = np.where(active, image, 0).reshape(
            GAIN_SHAPE[0], Y_BINNING, GAIN_SHAPE[1], X_BINNING
        )
        binned[:, height] = blocks.sum(axis=(1, 3)).ravel()
    rich = np.flatnonzero(binned.sum(axis=1) >= LEAST_COUNTS)
    dethv = level_of(primary, "DETHV")
    if dethv is None:
        source.note(
            f"primary header: DETHV is {primary.get('DETHV')!r}, which is no level of the high "
            "voltage"
        )
    name = source.name.partition(".fits")[0]
    make = count_rows if name.split("_")[2] in _ACCUM else gain_rows
    return make(name, segment, dethv, number(primary, "EXPSTART", source.name), rich, binned[rich])


EXTRACTORS = (Extractor(table=Gain, suffixes=("cci",), extract=extract_cumulative_gain),)
