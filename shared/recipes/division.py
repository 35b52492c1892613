"""Sub-exposures that a recipe may ask for: by time, by orbit, by pulse height."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.recipes.document import Document

__all__ = ["MOST_PARTS", "SubExposures"]

MOST_PARTS = 100
"""Sub-exposures of one run; each takes CalCOS some seconds."""

_Seconds = Annotated[float, Field(ge=0)]
_Altitude = Annotated[float, Field(ge=-90, le=180)]
"""Degree above the limb of the Earth, as the TIMELINE table of corrtag files has it.

The zenith lies at some 113.
"""

_PulseHeight = Annotated[int, Field(ge=0, le=31)]
_Times = Annotated[tuple[_Seconds, _Seconds], Field(strict=False)]
_Altitudes = Annotated[tuple[_Altitude, _Altitude], Field(strict=False)]
_PulseHeights = Annotated[tuple[_PulseHeight, _PulseHeight], Field(strict=False)]
_Ranges = "none is empty: the first value is below the second"


class SubExposures(Document):
    """How exposures are divided; kinds that are given together are combined, each with each.

    Times are in seconds since the beginning of an exposure (EXPSTART). Ranges of times and
    altitudes exclude their upper end, those of pulse heights include it.
    """

    every: float | None = Field(
        None, gt=0, description="Length of one, second; the last may be shorter"
    )
    start: _Seconds | None = Field(
        None, description="Where `every` begins, second; default: the beginning"
    )
    stop: _Seconds | None = Field(None, description="Where `every` ends, second; default: the end")
    times: tuple[_Seconds, ...] = Field(
        (), strict=False, description="Edges of adjoining ones, second"
    )
    intervals: tuple[_Times, ...] = Field((), strict=False, description="Start and stop, second")
    orbit: tuple[Literal["day", "night"], ...] = Field(
        (), strict=False, description="Sun above (day) or below (night) the limb of the Earth"
    )
    sun_altitude: tuple[_Altitudes, ...] = Field(
        (),
        strict=False,
        description="Ranges of the Sun's altitude above the limb of the Earth, degree",
    )
    target_altitude: tuple[_Altitudes, ...] = Field(
        (),
        strict=False,
        description="Ranges of the target's altitude above the limb of the Earth, degree",
    )
    pulse_heights: tuple[_PulseHeights, ...] = Field(
        (), strict=False, description="Ranges of pulse heights; FUV"
    )
    wavelengths: tuple[float, float] | None = Field(
        None,
        strict=False,
        description="Range of the light curve, Angstrom; default: all but the airglow lines",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        ways = [name for name in ("every", "times", "intervals") if getattr(self, name)]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} both divide the time; give one of them")
        if self.every is None and (self.start is not None or self.stop is not None):
            raise ValueError("start and stop are those of `every`; give that, or `intervals`")
        if self.start is not None and self.stop is not None and self.start >= self.stop:
            raise ValueError("start must be before stop")
        if self.times and (len(self.times) < 2 or any(a >= b for a, b in pairwise(self.times))):
            raise ValueError("times are at least two, and ascend")
        for name in ("intervals", "sun_altitude", "target_altitude"):
            if any(low >= high for low, high in getattr(self, name)):
                raise ValueError(f"{name}: {_Ranges}")
        if any(low > high for low, high in self.pulse_heights):
            raise ValueError("pulse_heights: the first value is at most the second")
        if self.wavelengths and self.wavelengths[0] >= self.wavelengths[1]:
            raise ValueError(f"wavelengths: {_Ranges}")
        if self.orbit and self.sun_altitude:
            raise ValueError("orbit stands for ranges of the sun's altitude; give one of the two")
        if len(set(self.orbit)) < len(self.orbit):
            raise ValueError("orbit: one is listed twice")
        if not (ways or self.by_orbit or self.pulse_heights):
            raise ValueError(
                "nothing divides the exposures; give times, an orbit, altitudes or pulse heights"
            )
        return self

    @property
    def by_orbit(self) -> bool:
        """Whether it needs to know where HST was."""
        return bool(self.orbit or self.sun_altitude or self.target_altitude)

    def times_of(self, seconds: float) -> list[tuple[float, float]]:
        """Start and stop of each time interval; of too many, one more than a run may have.

        Parameters
        ----------
        seconds
            Length of the exposure.
        """
        if self.every is None:
            edges = self.times or (0.0, seconds)
            return list(self.intervals) or list(pairwise(edges))
        start, stop = (
            self.start or 0.0,
            min(seconds, self.stop if self.stop is not None else seconds),
        )
        if stop <= start:
            return []
        # A remainder that is but a rounding error of the exposure time is no sub-exposure. Where
        # there are more than a run may have, it does not matter how many.
        count = int(min((stop - start) / self.every, MOST_PARTS + 1) - 1e-6) + 1
        return [
            (start + n * self.every, min(start + (n + 1) * self.every, stop)) for n in range(count)
        ]

    def suns(self) -> list[tuple[float, float] | None]:
        """Return the ranges of the Sun's altitude; None for any."""
        sides = {"day": (0.0, 180.0), "night": (-90.0, 0.0)}
        return list(self.sun_altitude or tuple(sides[name] for name in self.orbit)) or [None]

    def targets(self) -> list[tuple[float, float] | None]:
        """Return the ranges of the target's altitude; None for any."""
        return list(self.target_altitude) or [None]

    def heights(self) -> list[tuple[int, int] | None]:
        """Return the ranges of pulse heights; None for any."""
        return list(self.pulse_heights) or [None]
