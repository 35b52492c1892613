"""The instrument at the time of one exposure: plain values that the forward model consumes.

Evolution in time is separate: a function that makes an `InstrumentState` for an MJD.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = [
    "GRID_SHAPE",
    "GRID_X",
    "GRID_Y",
    "ChannelState",
    "Curve",
    "DetectorState",
    "HotSpot",
    "InstrumentState",
    "Stim",
    "Viewing",
    "grid_values",
    "uniform_grid",
]

Floats = NDArray[np.float64]

GRID_X, GRID_Y = 64, 8
"""Detector pixels (corrected frame) in a cell of the gain and background maps, along X and Y."""

GRID_SHAPE = (1024 // GRID_Y, 16384 // GRID_X)
"""Shape (Y, X) of a map of an FUV segment; NUV maps use its first 1024 / GRID_X columns."""


def uniform_grid(value: float) -> NDArray[np.float32]:
    """Make a map of one value, float32 of shape `GRID_SHAPE`."""
    return np.full(GRID_SHAPE, value, dtype=np.float32)


def grid_values(
    grid: NDArray[np.float32], x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return the values of a map at positions in pixels of the corrected frame, shape of `x`."""
    column = np.clip(x.astype(np.int32) // GRID_X, 0, GRID_SHAPE[1] - 1)
    row = np.clip(y.astype(np.int32) // GRID_Y, 0, GRID_SHAPE[0] - 1)
    return grid[row, column]


@dataclass(frozen=True)
class Curve:
    """A piecewise linear function; constant beyond its ends.

    Attributes
    ----------
    at
        Ascending arguments: seconds since the exposure's start, or Angstrom.
    values
        Values there.
    """

    at: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def constant(cls, value: float) -> "Curve":
        """Make a curve that has the same value everywhere."""
        return cls((0.0,), (float(value),))

    def __call__(self, argument: Floats | float) -> Floats:
        """Return the values at the arguments, same shape."""
        if len(self.values) == 1:
            return np.full(np.shape(argument), self.values[0])
        return np.asarray(np.interp(argument, self.at, self.values), dtype=np.float64)

    def mean(self, start: float, stop: float) -> float:
        """Return the mean over an interval."""
        if stop <= start:
            return float(self(start))
        knots = np.unique(np.concatenate([[start, stop], [a for a in self.at if start < a < stop]]))
        return float(np.trapezoid(self(knots), knots) / (stop - start))


@dataclass(frozen=True)
class Stim:
    """An electronic stim pulse as it is recorded: centre and sigma in raw pixels."""

    x: float
    y: float
    sigma_x: float = 1.5
    sigma_y: float = 0.55


@dataclass(frozen=True)
class HotSpot:
    """A place of a detector that counts without light for a while.

    Attributes
    ----------
    detector
        FUVA, FUVB or NUV.
    x, y
        Its centre in pixels of the corrected frame.
    rate
        Count/s of any pulse height.
    start, stop
        When it is there, MJD UTC.
    sigma_x, sigma_y
        Its extent in pixels.
    """

    detector: Literal["FUVA", "FUVB", "NUV"]
    x: float
    y: float
    rate: float
    start: float
    stop: float
    sigma_x: float = 3.0
    sigma_y: float = 1.0

    def share_within(self, left: float, right: float, low: float, high: float) -> float:
        """Return the share of its counts that fall into pixels from ``left`` and ``low`` up to but
        without the others.
        """
        x = ndtr((np.array([left, right]) - 0.5 - self.x) / self.sigma_x)
        y = ndtr((np.array([low, high]) - 0.5 - self.y) / self.sigma_y)
        return float((x[1] - x[0]) * (y[1] - y[0]))


@dataclass(frozen=True)
class DetectorState:
    """One FUV segment, or the NUV detector.

    Attributes
    ----------
    dark_rate
        Count/s/pixel over time within the exposure, before dead time and pulse-height limits.
    dark_map
        Relative dark rate over the detector, mean about 1; float32 of shape `GRID_SHAPE`.
    modal_gain
        Most frequent pulse height (0 to 31) at every place; float32 of shape `GRID_SHAPE`. Gain sag
        is a dip in it. FUV only; not used for NUV.
    gain_sigma
        Sigma of the pulse heights of photons about the modal gain.
    stims
        The two stim pulses (upper left, lower right); empty for NUV.
    stim_rate
        Count/s of both stims together.
    spots
        Hot spots; their counts come on top of the dark rate.
    temperature
        Of the detector's electronics (LDCAMPAT, LDCAMPBT; NUV: LNDTMPAT or the like), deg C.
    """

    dark_rate: Curve
    dark_map: NDArray[np.float32]
    modal_gain: NDArray[np.float32]
    gain_sigma: float = 2.3
    stims: tuple[Stim, ...] = ()
    stim_rate: float = 4.0
    spots: tuple[HotSpot, ...] = ()
    temperature: float = 20.0


@dataclass(frozen=True)
class ChannelState:
    """One spectrum on a detector: an FUV segment's, or an NUV stripe's.

    Of imaging exposures NUVA stands for the image.

    Attributes
    ----------
    shift_dispersion
        Displacement of the spectra of lamp and target along X by the OSM's pointing, over time, in
        pixels. The commanded displacement of the FP-POS is not in it.
    shift_cross
        The same along Y.
    sensitivity
        Throughput over that of the sensitivity table at its reference date, against wavelength in
        Angstrom.
    lamp
        Brightness of the wavelength-calibration lamp over that of its template.
    wavelength_offset
        Displacement of the target's spectrum alone along X, against that of the lamp, in pixels.
    wavelength_stretch
        Stretch of both spectra about the middle of the detector: pixels per pixel.
    """

    shift_dispersion: Curve
    shift_cross: Curve
    sensitivity: Curve
    lamp: float = 1.0
    wavelength_offset: float = 0.0
    wavelength_stretch: float = 0.0


@dataclass(frozen=True)
class InstrumentState:
    """The whole instrument at the time of one exposure.

    Attributes
    ----------
    mjd
        Time that it holds for.
    detectors
        By name: FUVA, FUVB, NUV.
    channels
        By name: FUVA, FUVB, NUVA, NUVB, NUVC.
    target_offset
        Where the target stands from the aperture's centre, arcsec along dispersion and
        cross-dispersion.
    """

    mjd: float
    detectors: Mapping[str, DetectorState]
    channels: Mapping[str, ChannelState]
    target_offset: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Viewing:
    """Where HST was and looked during one exposure.

    Attributes
    ----------
    doppler_amplitude
        Largest orbital velocity along the line of sight, km/s (DOPPMAGV).
    doppler_zero
        MJD at which that velocity crosses zero upwards (DOPPZERO): velocity = amplitude sin(2 pi (t
        - zero) / period).
    orbit_period
        Seconds (ORBITPER).
    position_angle
        Of the aperture, degrees east of north (PA_APER).
    sun_angle, moon_angle, sun_altitude
        Degrees (SUNANGLE, MOONANGL, SUN_ALT at the exposure's middle).
    """

    doppler_amplitude: float = 0.0
    doppler_zero: float = 0.0
    orbit_period: float = 5720.0
    position_angle: float = 0.0
    sun_angle: float = 90.0
    moon_angle: float = 90.0
    sun_altitude: float = 30.0
