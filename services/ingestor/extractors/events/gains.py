"""Gain maps: of the events of an exposure, and of cumulative images."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.events.declaration import Reduction
from services.ingestor.extractors.events.exposure import Exposure, in_good_time
from services.ingestor.extractors.rows import Rows, Source
from shared.cos.detector import ACTIVE_AREAS, GAIN_SHAPE, X_BINNING, Y_BINNING
from shared.cos.gain import GAIN_WIDTH, LEAST_COUNTS, charges, modal_gains
from shared.database.models.science import PULSE_HEIGHTS, Gain
from shared.fits import Columns

__all__ = ["REDUCTION", "GainAccumulator", "count_rows", "gain_rows"]


class GainAccumulator:
    """Pulse heights of every superpixel of the active area.

    Parameters
    ----------
    exposure
        What the events are of.
    """

    COLUMNS: ClassVar = frozenset({"XCORR", "YCORR", "DQ", "PHA"})

    def __init__(self, _source: Source, exposure: Exposure) -> None:
        self._exposure = exposure
        self._area = ACTIVE_AREAS[exposure.segment]
        self._pixels: list[NDArray[np.int32]] = []
        self._heights: list[NDArray[np.uint8]] = []

    def add(self, events: Columns) -> None:
        """Take in a part of the events."""
        inside = self._area.contains(events["XCORR"], events["YCORR"]) & in_good_time(events)
        x = np.rint(events["XCORR"][inside]).astype(np.int32) // X_BINNING
        y = np.rint(events["YCORR"][inside]).astype(np.int32) // Y_BINNING
        self._pixels.append(y * np.int32(GAIN_SHAPE[1]) + x)
        self._heights.append(events["PHA"][inside])

    def rows(self) -> Rows:
        """Return the rows of ``gain``, row by row of the detector."""
        pixels = np.concatenate([np.zeros(0, np.int32), *self._pixels])
        heights = np.concatenate([np.zeros(0, np.uint8), *self._heights])
        counts = np.bincount(pixels, minlength=GAIN_SHAPE[0] * GAIN_SHAPE[1])
        rich = np.flatnonzero(counts >= LEAST_COUNTS)
        # Only superpixels that may have a gain get a histogram: a map of all would take a gigabyte.
        place = np.full(counts.size, -1, dtype=np.int32)
        place[rich] = np.arange(rich.size, dtype=np.int32)
        place = place[pixels]
        kept = place >= 0
        flat = place[kept].astype(np.int64) * PULSE_HEIGHTS + heights[kept]
        histograms = np.bincount(flat, minlength=rich.size * PULSE_HEIGHTS).reshape(
            -1, PULSE_HEIGHTS
        )
        exposure = self._exposure
        return gain_rows(
            exposure.rootname,
            exposure.segment,
            exposure.hvlevel,
            exposure.expstart,
            rich,
            histograms,
        )


def gain_rows(
    rootname: str,
    segment: str,
    dethv: int | None,
    expstart: float,
    pixels: NDArray[np.integer],
    histograms: NDArray[np.integer],
) -> Rows:
    """Return the rows of ``gain`` of those superpixels whose pulse heights have a peak.

    Parameters
    ----------
    rootname, segment, dethv, expstart
        What the map is of.
    pixels
        Numbers of the superpixels, shape (n,), counted along rows of the map.
    histograms
        Their pulse heights, shape (n, 32).
    """
    gains = modal_gains(histograms)
    found = np.isfinite(gains)
    rows = count_rows(rootname, segment, dethv, expstart, pixels[found], histograms[found])
    return replace(
        rows,
        common={**rows.common, "std": GAIN_WIDTH},
        columns={**rows.columns, "gain": gains[found].tolist()},
    )


def count_rows(
    rootname: str,
    segment: str,
    dethv: int | None,
    expstart: float,
    pixels: NDArray[np.integer],
    histograms: NDArray[np.integer],
) -> Rows:
    """Return the rows of ``gain`` without gains: what superpixels counted, and the charge of that.

    Parameters are those of `gain_rows`.
    """
    y, x = np.divmod(pixels, GAIN_SHAPE[1])
    return Rows(
        Gain,
        common={"rootname": rootname, "segment": segment, "dethv": dethv, "expstart": expstart},
        columns={
            "x": x.tolist(),
            "y": y.tolist(),
            "counts": histograms.sum(axis=1).tolist(),
            "charge": charges(histograms).tolist(),
        },
    )


REDUCTION = Reduction(
    table=Gain,
    accumulator=GainAccumulator,
    only={"OBSMODE": "TIME-TAG", "DETECTOR": "FUV"},
)
