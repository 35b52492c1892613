"""The whole observatory at the time of an exposure: from the description to what the forward model
takes.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.cos.instrument_history import Segment
from simulator import background, evolution
from simulator.description import Instrument
from simulator.instrument.fuv import SEGMENTS
from simulator.plan import ExposurePlan
from simulator.sky import moon_direction, sun_altitude, sun_direction
from simulator.state import (
    GRID_SHAPE,
    GRID_X,
    GRID_Y,
    ChannelState,
    Curve,
    DetectorState,
    InstrumentState,
    Stim,
    Viewing,
    uniform_grid,
)

__all__ = ["blind_offset", "state_of", "viewing_of"]

_STEP_SECONDS = 60.0
"""Step of the curves within an exposure."""
_SEGMENTS: Final[tuple[Segment, ...]] = ("FUVA", "FUVB")
_SEGMENT_SPREAD = 0.25
"""Sigma in pixels by which the channels of one exposure differ in their zero points."""


def state_of(
    instrument: Instrument, plan: ExposurePlan, target_offset: tuple[float, float] = (0.0, 0.0)
) -> InstrumentState:
    """Return the state of the instrument during an exposure.

    Parameters
    ----------
    instrument
        Description.
    plan
        The exposure.
    target_offset
        Where the target stands from the aperture's centre, arcsec along and across dispersion.
    """
    detectors: dict[str, DetectorState] = {
        segment: _segment(instrument, segment, plan) for segment in _SEGMENTS
    }
    detectors["NUV"] = _nuv(instrument, plan)
    names = _SEGMENTS if plan.detector == "FUV" else ("NUVA", "NUVB", "NUVC")
    channels = {name: _channel(instrument, name, plan) for name in names}
    return InstrumentState(plan.start, detectors, channels, target_offset)


def _times(plan: ExposurePlan) -> NDArray[np.float64]:
    """Return the seconds within an exposure at which curves are evaluated."""
    count = max(2, int(np.ceil(plan.exptime / _STEP_SECONDS)) + 1)
    return np.linspace(0.0, max(plan.exptime, 1.0), count)


def _curve(seconds: NDArray[np.float64], values: NDArray[np.float64]) -> Curve:
    return Curve(tuple(map(float, seconds)), tuple(map(float, values)))


def _segment(instrument: Instrument, segment: Segment, plan: ExposurePlan) -> DetectorState:
    seconds = _times(plan)
    rate = background.dark_rate(instrument, segment, plan.start + seconds / 86400.0)
    x = (np.arange(GRID_SHAPE[1]) + 0.5) * GRID_X
    y = (np.arange(GRID_SHAPE[0])[:, None] + 0.5) * GRID_Y
    stims = tuple(
        Stim(nominal[0] + moved[0], nominal[1] + moved[1])
        for nominal, moved in zip(
            SEGMENTS[segment].stims,
            evolution.stim_offsets(instrument, segment, plan.start),
            strict=True,
        )
    )
    return DetectorState(
        dark_rate=_curve(seconds, rate),
        dark_map=uniform_grid(1.0),
        modal_gain=evolution.modal_gain(instrument, segment, plan.start, x, y).astype(np.float32),
        stims=stims,
        temperature=float(background.amplifier_temperature(instrument, segment, plan.start)),
        spots=tuple(spot for spot in instrument.spots if spot.detector == segment),
    )


def _nuv(instrument: Instrument, plan: ExposurePlan) -> DetectorState:
    seconds = _times(plan)
    rate = background.dark_rate(instrument, "NUV", plan.start + seconds / 86400.0)
    return DetectorState(
        dark_rate=_curve(seconds, rate),
        dark_map=uniform_grid(1.0),
        modal_gain=uniform_grid(0.0),
        temperature=float(background.tube_temperature(instrument, plan.start)),
        spots=tuple(spot for spot in instrument.spots if spot.detector == "NUV"),
    )


def _channel(instrument: Instrument, name: str, plan: ExposurePlan) -> ChannelState:
    seconds = _times(plan)
    moved = plan.start - plan.since_osm_move / 86400.0
    along, across = evolution.zero_point(instrument, plan.opt_elem, plan.start)
    landed = evolution.landing(instrument, plan.opt_elem, moved)
    spread = instrument.chance("channel", name, plan.opt_elem, round(moved, 5)).normal(
        0.0, _SEGMENT_SPREAD
    )
    offset, stretch = evolution.dispersion_change(instrument, plan.opt_elem, plan.start)
    times = plan.start + seconds / 86400.0
    drift = evolution.osm_drift(instrument, plan.opt_elem, moved, times)
    drift_across = evolution.osm_drift_across(instrument, plan.opt_elem, moved, times)
    return ChannelState(
        shift_dispersion=_curve(seconds, along + landed[0] + spread + drift),
        shift_cross=_curve(seconds, across + landed[1] + drift_across),
        sensitivity=evolution.sensitivity(plan.detector, plan.start),
        lamp=float(evolution.lamp_output(plan.lamp, plan.start)),
        wavelength_offset=offset,
        wavelength_stretch=stretch,
    )


def blind_offset(instrument: Instrument, visit: str, fgs: str, mjd: float) -> tuple[float, float]:
    """Return the offset of a target from the aperture's centre before any acquisition, arcsec along
    and across dispersion.

    The slew that centres it is the same, and opposite to the error of the pointing: V2 = -(x + y) /
    sqrt(2), V3 = -(x - y) / sqrt(2).

    Parameters
    ----------
    instrument
        Description.
    visit
        First six characters of the visit's rootnames; the target's catalogue error is drawn for it.
    fgs
        Fine guidance sensor that points.
    mjd
        Time, MJD UTC.
    """
    v2, v3 = evolution.blind_pointing(instrument, fgs, mjd)
    along, across = instrument.chance("target", visit).normal(0.0, 0.12, size=2)
    return float(along - (v2 + v3) / np.sqrt(2.0)), float(across - (v2 - v3) / np.sqrt(2.0))


def viewing_of(instrument: Instrument, plan: ExposurePlan, position_angle: float = 0.0) -> Viewing:
    """Return where HST was and looked during an exposure.

    Parameters
    ----------
    instrument
        Description.
    plan
        The exposure.
    position_angle
        PA_APER in degrees.
    """
    orbit, target = instrument.orbit, plan.target
    amplitude, zero = orbit.doppler(plan.start, target.ra, target.dec)
    middle = 0.5 * (plan.start + plan.stop)
    return Viewing(
        doppler_amplitude=amplitude,
        doppler_zero=zero,
        orbit_period=orbit.period(plan.start),
        position_angle=position_angle,
        sun_angle=_separation(target.ra, target.dec, *sun_direction(middle)),
        moon_angle=_separation(target.ra, target.dec, *moon_direction(middle)),
        sun_altitude=float(sun_altitude(orbit, middle)),
    )


def _separation(
    ra1: float, dec1: float, ra2: NDArray[np.float64], dec2: NDArray[np.float64]
) -> float:
    """Return the angle between two directions, all in degrees."""
    a1, d1, a2, d2 = np.radians([ra1, dec1, float(ra2), float(dec2)])
    cosine = np.sin(d1) * np.sin(d2) + np.cos(d1) * np.cos(d2) * np.cos(a1 - a2)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
