"""Stim pulses: where they were found in each time step."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.events.declaration import Reduction
from services.ingestor.extractors.events.exposure import Exposure
from services.ingestor.extractors.rows import Rows, Source
from shared.cos.detector import STIM_BOX, STIM_POSITIONS
from shared.database.models.science import Stim
from shared.fits import Columns

__all__ = ["REDUCTION", "StimPositions"]

_STEPS = ((10.0, 0.12), (100.0, 4.0), (np.inf, 120.0))
"""Exposure times below which steps have these lengths, in seconds (legacy stim monitor: 4 x 0.03, 1
and 30 s).
"""

_ROWS = (1, 1022)
"""Rows that stims are looked for in, as CalCOS does."""


class StimPositions:
    """Counts and mean positions of both stims in every time step.

    A part at the end that is shorter is left out.

    Parameters
    ----------
    exposure
        What the events are of.
    """

    COLUMNS: ClassVar = frozenset({"TIME", "RAWX", "RAWY"})

    def __init__(self, _source: Source, exposure: Exposure) -> None:
        self._exposure = exposure
        exptime = exposure.stop if exposure.exptime is None else exposure.exptime
        self._step = next(step for limit, step in _STEPS if exptime < limit)
        self._steps = int(exposure.stop / self._step + 1e-6)
        self._counts = np.zeros((2, self._steps), dtype=np.int64)
        self._sums = np.zeros((2, 2, self._steps))

    def add(self, events: Columns) -> None:
        """Take in a part of the events."""
        for stim, (center_x, center_y) in enumerate(STIM_POSITIONS[self._exposure.segment]):
            low, high = max(center_y - STIM_BOX[1], _ROWS[0]), min(center_y + STIM_BOX[1], _ROWS[1])
            x, y = events["RAWX"], events["RAWY"]
            inside = np.flatnonzero(
                (np.abs(x - np.int32(center_x)) <= STIM_BOX[0]) & (y >= low) & (y <= high)
            )
            number = np.floor(events["TIME"][inside].astype(np.float64) / self._step)
            known = (number >= 0) & (number < self._steps)
            inside, number = inside[known], number[known].astype(np.intp)
            self._counts[stim] += np.bincount(number, minlength=self._steps)
            for axis, values in enumerate((x, y)):
                self._sums[stim, axis] += np.bincount(number, values[inside], minlength=self._steps)

    def rows(self) -> Rows:
        """Return the rows of ``stims`` in the order of time."""
        times = self._step * np.arange(self._steps)
        upper, lower = self._counts
        return Rows(
            Stim,
            common={
                "rootname": self._exposure.rootname,
                "segment": self._exposure.segment,
                "step": self._step,
            },
            columns={
                "time": times.tolist(),
                "abs_time": (self._exposure.expstart + times / 86400.0).tolist(),
                "stim1_x": _means(self._sums[0, 0], upper),
                "stim1_y": _means(self._sums[0, 1], upper),
                "stim2_x": _means(self._sums[1, 0], lower),
                "stim2_y": _means(self._sums[1, 1], lower),
                "stim1_counts": upper.tolist(),
                "stim2_counts": lower.tolist(),
                "counts": (upper + lower).tolist(),
            },
        )


def _means(sums: NDArray[np.float64], counts: NDArray[np.int64]) -> list[Any]:
    return [
        total / count if count else None
        for total, count in zip(sums.tolist(), counts.tolist(), strict=True)
    ]


REDUCTION = Reduction(
    table=Stim,
    accumulator=StimPositions,
    only={"OBSMODE": "TIME-TAG", "DETECTOR": "FUV"},
)
