"""An instrument in good order: the state that a plain exposure is taken with."""

from collections.abc import Mapping

from simulator.instrument import decline, fuv
from simulator.instrument.modes import FUV_CHANNELS, NUV_CHANNELS
from simulator.state import ChannelState, Curve, DetectorState, InstrumentState, Stim, uniform_grid

__all__ = ["FUV_DARK", "FUV_GAIN", "NUV_DARK", "nominal_state"]

FUV_DARK = 1.5e-6
"""Count/s/pixel of an FUV segment."""

NUV_DARK = 2.0e-4
"""Count/s/pixel of the NUV detector."""

FUV_GAIN = 11.0
"""Modal gain of fresh detector at the usual high voltage."""

_NO_SHIFT: Mapping[str, tuple[float, float]] = {}


def nominal_state(
    mjd: float, shifts: Mapping[str, tuple[float, float]] = _NO_SHIFT, stim_rate: float = 60.0
) -> InstrumentState:
    """Return the state with uniform gain and background and the expected decline of sensitivity.

    Parameters
    ----------
    mjd
        Time that it shall hold for.
    shifts
        Displacement along dispersion and cross-dispersion by channel, pixels; 0 where none is
        given.
    stim_rate
        Count/s of both stims of a segment together.
    """
    detectors = {
        name: DetectorState(
            Curve.constant(FUV_DARK),
            uniform_grid(1.0),
            uniform_grid(FUV_GAIN),
            stims=tuple(Stim(*position) for position in _displaced(segment.stims)),
            stim_rate=stim_rate,
        )
        for name, segment in fuv.SEGMENTS.items()
    }
    detectors["NUV"] = DetectorState(Curve.constant(NUV_DARK), uniform_grid(1.0), uniform_grid(0.0))
    channels = {}
    for names, detector in ((FUV_CHANNELS, "FUV"), (NUV_CHANNELS, "NUV")):
        sensitivity = Curve(
            tuple(decline.WAVELENGTHS[detector]), tuple(decline.decline(detector, mjd))
        )
        for name in names:
            along, across = shifts.get(name, (0.0, 0.0))
            channels[name] = ChannelState(
                Curve.constant(along), Curve.constant(across), sensitivity
            )
    return InstrumentState(mjd, detectors, channels)


def _displaced(
    stims: tuple[tuple[float, float], tuple[float, float]],
) -> tuple[tuple[float, float], ...]:
    """Return the stims where a warm detector puts them: stretched, and moved by some pixels."""
    (x1, y1), (x2, y2) = stims
    return (x1 + 21.6, y1 - 8.3), (x2 + 41.9, y2 - 9.7)
