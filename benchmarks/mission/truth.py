"""Expected results of monitors, from the simulated instrument."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from services.monitor.monitors.superdark.superdarks import PERIOD_DAYS
from shared.cos.detector import DARK_REGIONS, X_BINNING, Y_BINNING
from shared.cos.instrument_history import Segment
from simulator.background import Detector, dark_rate
from simulator.evolution import GAIN_PER_LEVEL, hv_level, modal_gain
from simulator.forward.fuv import dark_share
from simulator.mission.schedule import Mission
from simulator.state import GRID_X, GRID_Y, HotSpot

__all__ = ["MissionTruth"]

_PULSE_HEIGHTS = (3, 22)
"""Pulse heights that FUV dark rates are of (services.ingestor)."""

_BIN = 25.0
"""Seconds of a bin of the dark rates (services.ingestor)."""

_WITHIN_ROW = np.arange(Y_BINNING * 2) / 2.0 - 0.25
"""Places in a row of superpixels whose gains are averaged, pixels after the centre of its first row
of pixels.
"""

_GRID = 40
"""Pixels between the places that the gain of a region is taken at."""

_KEPT_PULSE_HEIGHTS = (2, 23)
"""Pulse heights that the rates of hot spots are of (CalCOS keeps them)."""

_SURE_COUNTS = 40.0
"""Counts within a period that make a hot spot certain: its brightest superpixel has a quarter of
them at least.
"""


class MissionTruth:
    """Truth of a mission.

    Parameters
    ----------
    mission
        What it was drawn from.
    exposures
        Truth of those that were simulated (`simulator.mission.truth.exposure_truth`).
    there
        Rootnames of the datasets that were processed; nothing can be found in others.
    unplanned
        Rootnames of exposures that no schedule report that counts plans.
    """

    def __init__(
        self,
        mission: Mission,
        exposures: Sequence[dict[str, Any]],
        there: Collection[str],
        unplanned: Collection[str] = (),
    ) -> None:
        self.unplanned = frozenset(unplanned)
        self.instrument = mission.instrument
        self.mission = mission
        self.exposures = {
            exposure["rootname"]: exposure
            for exposure in exposures
            if (exposure["plan"]["association"] or exposure["rootname"]) in there
        }

    def faulty(self, *kinds: str) -> set[str]:
        """Return the exposures that have a fault, of some kinds or of any."""
        return {
            name
            for name, exposure in self.exposures.items()
            if any(not kinds or fault["kind"] in kinds for fault in exposure["plan"]["faults"])
        }

    def suffered(self, *kinds: str, exptype: str = "") -> dict[str, set[str]]:
        """Return the segments that faults of some kinds concern, none of them where all are, by
        exposure.

        Parameters
        ----------
        kinds
            Kinds of faults.
        exptype
            Type of the exposures; empty: any.
        """
        faulty = self.faulty(*kinds)
        return {
            name: {
                fault["segment"] for fault in exposure["plan"]["faults"] if fault["kind"] in kinds
            }
            - {""}
            for name, exposure in self.exposures.items()
            if name in faulty and exptype in ("", exposure["plan"]["exptype"])
        }

    def dark(self, rootname: str, detector: Detector, mjd: Sequence[float]) -> np.ndarray:
        """Return the dark rate that the monitors should find in 25-s bins of one exposure, counts /
        s / pixel, shape (n,).

        Parameters
        ----------
        rootname
            The exposure; where it was made to be in the anomaly, its rate is raised.
        detector
            FUVA, FUVB or NUV.
        mjd
            Starts of the bins.
        """
        plan = self.exposures[rootname]["plan"]
        times = np.asarray(mjd) + 0.5 * _BIN / 86400.0
        rate = dark_rate(self.instrument, detector, times)
        first = (np.asarray(mjd) - plan["start"]) * 86400.0
        for fault in plan["faults"]:
            if fault["kind"] == "saa":
                common = np.minimum(first + _BIN, fault["stop"]) - np.maximum(first, fault["start"])
                rate = rate * (1.0 + (fault["amount"] - 1.0) * np.clip(common, 0.0, None) / _BIN)
        if detector == "NUV":
            return rate
        area = DARK_REGIONS[detector]["inner"]
        spots = sum(
            self._spot_share(spot, float(times[0]), _PULSE_HEIGHTS)
            * spot.rate
            * ((times >= spot.start) & (times < spot.stop))
            for spot in self.instrument.spots
            if spot.detector == detector and area.contains(np.array(spot.x), np.array(spot.y))
        )
        return np.asarray(rate * self._share(detector, float(times[0])) + spots / area.pixels)

    def _spot_share(self, spot: HotSpot, mjd: float, heights: tuple[int, int]) -> float:
        """Return the share of the counts of a hot spot that have some pulse heights."""
        if spot.detector == "NUV":
            return 1.0
        gain = modal_gain(self.instrument, spot.detector, mjd, spot.x, spot.y)
        return float(dark_share(*heights, gain))

    def spot_rate(self, spot: HotSpot, mjd: float) -> float:
        """Return the rate of a hot spot at a time, in the pulse heights that monitors count, counts
        / s.
        """
        return spot.rate * self._spot_share(spot, mjd, _KEPT_PULSE_HEIGHTS)

    def darks(self, detector: str) -> np.ndarray:
        """List starts (MJD) and lengths (s) of the darks of a detector in the order of time, shape
        (2, n).
        """
        plans = [exposure["plan"] for exposure in self.exposures.values()]
        found = [
            (plan["start"], plan["exptime"])
            for plan in plans
            if plan["exptype"] == "DARK" and plan["detector"] == detector[:3]
            if not any(
                fault["segment"] == detector and fault["kind"] == "segment-off"
                for fault in plan["faults"]
            )
        ]
        return np.array(sorted(found)).reshape(-1, 2).T

    def is_sure(self, spot: HotSpot) -> bool:
        """Return whether the darks of some period show a hot spot with certainty."""
        mjd, seconds = self.darks(spot.detector)
        there = (mjd >= spot.start) & (mjd < spot.stop)
        period = (mjd[there] // PERIOD_DAYS).astype(int)
        if not len(period):
            return False
        most = np.bincount(period - period.min(), seconds[there]).max()
        return bool(most * self.spot_rate(spot, float(mjd[there][0])) > _SURE_COUNTS)

    def _share(self, segment: Segment, mjd: float) -> float:
        """Return share of the background in the inner region whose pulse heights are counted."""
        area = DARK_REGIONS[segment]["inner"]
        x = np.arange(area.x0 + _GRID / 2, area.x1, _GRID)
        y = np.arange(area.y0 + 2.0, area.y1, 4.0)[:, None]
        gain = modal_gain(self.instrument, segment, mjd, x, y)
        return float(dark_share(*_PULSE_HEIGHTS, gain).mean())

    def stims(self, rootname: str, segment: str) -> list[list[float]]:
        """Return the centres of both stims, raw pixels."""
        centres: list[list[float]] = self.exposures[rootname]["detectors"][segment]["stims"]
        return centres

    def is_one_cell(self, y: int) -> bool:
        """Return whether a row of superpixels lies in one row of cells of the simulator's map of
        the gain (see `gain`).

        The gain of one that lies in two depends on where in it light falls.
        """
        return y * Y_BINNING % GRID_Y != 0

    def gain(
        self, segment: Segment, level: float, mjd: float, x: np.ndarray, y: np.ndarray
    ) -> np.ndarray:
        """Return the modal gain of superpixels if the voltage were at a level, in bins, shape (n,).

        It is that of the cells of the simulator's map that they lie in: cells begin at whole
        coordinates, and pixels half a pixel before them, so that a quarter of the first row of
        superpixels in a cell lies in the one before.
        """
        now = hv_level(self.instrument, segment, mjd)
        column, rows = (
            x * X_BINNING // GRID_X,
            (np.asarray(y) * Y_BINNING + _WITHIN_ROW[:, None]) // GRID_Y,
        )
        gain = modal_gain(
            self.instrument, segment, mjd, (column + 0.5) * GRID_X, (rows + 0.5) * GRID_Y
        )
        raised: np.ndarray = gain.mean(axis=0) + GAIN_PER_LEVEL * (level - now)
        return raised
