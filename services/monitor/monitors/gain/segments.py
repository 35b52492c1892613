"""Gains of one segment.

Its voltages with their maps, its superpixels and regions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from services.monitor.framework.declaration import Columns, Inputs
from services.monitor.library.exposure_values import take
from services.monitor.monitors.gain.levels import Level, levels_of
from services.monitor.monitors.gain.maps import GainMap, map_of
from services.monitor.monitors.gain.regions import Region, regions_of
from services.monitor.monitors.gain.sums import Total, total_of
from shared.cos.detector import FUV_SEGMENTS
from shared.cos.instrument_history import Segment

__all__ = ["SegmentGain", "segments_of"]


@dataclass(frozen=True)
class SegmentGain:
    """What is derived of one segment; levels, and their maps, that of the newest gain first."""

    name: Segment
    levels: Sequence[Level]
    pixels: Columns
    regions: Sequence[Region]
    maps: Sequence[GainMap]
    total: Total

    @property
    def sagged(self) -> Columns:
        """Superpixels that have sagged."""
        return take(self.pixels, np.isfinite(self.pixels["sagged"]))


def segments_of(inputs: Inputs) -> Iterator[SegmentGain]:
    """Derive what there is of each segment that has gains.

    Parameters
    ----------
    inputs
        Inputs of the gain monitor.
    """
    for name in FUV_SEGMENTS:
        levels = list(levels_of(inputs, name))
        if levels:
            files = take(inputs["files"], inputs["files"]["segment"] == name)
            files = take(files, np.lexsort((files["file_id"], files["mjd"])))
            mine = np.char.startswith(inputs["levels"]["key"].astype(str), name)
            medians = take(inputs["medians"], mine[inputs["medians"]["part"]])
            pixels = take(inputs["pixels"], mine[inputs["pixels"]["part"]])
            regions = list(regions_of(name, medians, files))
            # Those of voltages without any gain too.
            sums = take(inputs["sums"], mine[inputs["sums"]["part"]])
            total = total_of(name, [(level.level, level.pixels) for level in levels], sums)
            yield SegmentGain(
                name, levels, pixels, regions, [map_of(level) for level in levels], total
            )
