"""What a monitor should have found, from the simulated instrument."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shared.cos.detector import DARK_REGIONS, X_BINNING, Y_BINNING
from shared.cos.history import Segment
from simulator.background import dark_rate
from simulator.description import Instrument
from simulator.evolution import GAIN_PER_LEVEL, hv_level, modal_gain
from simulator.forward.fuv import dark_share
from simulator.state import GRID_X, GRID_Y

__all__ = ["MissionTruth"]

_PULSE_HEIGHTS = (3, 22)
"""Pulse heights that FUV dark rates are of (services.ingestor)."""

_BIN = 25.0
"""Seconds of a bin of the dark rates (services.ingestor)."""

_GRID = 40
"""Pixels between the places that the gain of a region is taken at."""

_GAIN_FAULTS = ("hv-step",)
_BACKGROUND_FAULTS = ("saa", "burst", "bad-time")


class MissionTruth:
    """Truth of a mission.

    Parameters
    ----------
    content
        Content of its truth file.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self.instrument = Instrument(seed=content["mission"]["seed"])
        self.mission = content["mission"]
        self.exposures = {exposure["rootname"]: exposure for exposure in content["exposures"]}

    def faulty(self, *kinds: str) -> set[str]:
        """Exposures that have a fault, of some kinds or of any."""
        return {
            name
            for name, exposure in self.exposures.items()
            if any(not kinds or fault["kind"] in kinds for fault in exposure["plan"]["faults"])
        }

    @property
    def bright(self) -> set[str]:
        """Darks whose background is raised for a while."""
        return {name for name in self.faulty(*_BACKGROUND_FAULTS) if self.exposures[name]["plan"]["exptype"] == "DARK"}

    @property
    def stepped(self) -> set[str]:
        """Exposures in which the voltage steps."""
        return self.faulty(*_GAIN_FAULTS)

    def dark(self, rootname: str, segment: str, mjd: Sequence[float]) -> np.ndarray:
        """Dark rate that the monitors should find in 25-s bins of one exposure, counts / s / pixel, shape (n,).

        Parameters
        ----------
        rootname
            The exposure; where it was made to be in the anomaly, its rate is raised.
        segment
            FUVA, FUVB or NUV.
        mjd
            Starts of the bins.
        """
        plan = self.exposures[rootname]["plan"]
        times = np.asarray(mjd) + 0.5 * _BIN / 86400.0
        rate = dark_rate(self.instrument, segment, times)  # type: ignore[arg-type]
        first = (np.asarray(mjd) - plan["start"]) * 86400.0
        for fault in plan["faults"]:
            if fault["kind"] == "saa":
                common = np.minimum(first + _BIN, fault["stop"]) - np.maximum(first, fault["start"])
                rate = rate * (1.0 + (fault["amount"] - 1.0) * np.clip(common, 0.0, None) / _BIN)
        return rate if segment == "NUV" else rate * self._share(segment, float(times[0]))  # type: ignore[arg-type]

    def _share(self, segment: Segment, mjd: float) -> float:
        """Share of the background in the inner region whose pulse heights are counted."""
        area = DARK_REGIONS[segment]["inner"]
        x = np.arange(area.x0 + _GRID / 2, area.x1, _GRID)
        y = np.arange(area.y0 + 2.0, area.y1, 4.0)[:, None]
        gain = modal_gain(self.instrument, segment, mjd, x, y)
        return float(dark_share(*_PULSE_HEIGHTS, gain).mean())

    def stims(self, rootname: str, segment: str) -> list[list[float]]:
        """Centres of both stims, raw pixels."""
        centres: list[list[float]] = self.exposures[rootname]["detectors"][segment]["stims"]
        return centres

    def gain(self, segment: Segment, level: float, mjd: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Modal gain of superpixels if the voltage were at a level, in bins, shape (n,).

        It is that of the cell of the simulator's map that they lie in.
        """
        now = hv_level(self.instrument, segment, mjd)
        column, row = x * X_BINNING // GRID_X, y * Y_BINNING // GRID_Y
        gain = modal_gain(self.instrument, segment, mjd, (column + 0.5) * GRID_X, (row + 0.5) * GRID_Y)
        raised: np.ndarray = gain + GAIN_PER_LEVEL * (level - now)
        return raised
