"""Description of a simulated instrument."""

import zlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from shared.cos.instrument_history import Segment
from simulator.orbit import Orbit
from simulator.state import HotSpot

__all__ = ["FIRST_LIGHT", "YEAR", "Instrument"]

FIRST_LIGHT: Final = 54952.0
"""MJD 2009-05-01, from which ages are counted (COS Instrument Handbook)."""
YEAR: Final = 365.25


@dataclass(frozen=True)
class Instrument:
    """The description that a simulated instrument's history follows from.

    Parameters
    ----------
    seed
        What chance draws from.
    orbit
        HST's orbit.
    sag
        Factor on the loss of gain; 1 is an average usage.
    raises
        Further steps of high voltage: segment, MJD and new nominal level.
    spots
        Hot spots of its detectors.
    dispersions
        Changes of dispersion relations: grating, MJD from which on, displacement of targets against
        the lamp in pixels, stretch about the middle of the detector.
    """

    seed: int = 1
    orbit: Orbit = field(default_factory=Orbit)
    sag: float = 1.0
    raises: tuple[tuple[Segment, float, int], ...] = (
        ("FUVA", 58700.0, 167),
        ("FUVB", 58700.0, 169),
        ("FUVA", 59491.0, 163),
        ("FUVB", 59491.0, 163),
        ("FUVA", 60300.0, 167),
        ("FUVB", 60300.0, 169),
    )
    spots: tuple[HotSpot, ...] = ()
    dispersions: tuple[tuple[str, float, float, float], ...] = ()

    def chance(self, *names: object) -> np.random.Generator:
        """Return the random numbers that belong to a name, the same each time."""
        return np.random.default_rng([self.seed, zlib.crc32(repr(names).encode())])
