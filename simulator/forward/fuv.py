"""Recording of an FUV segment.

Pulse heights, walk, distortion, thermal stretch, stims, dead time.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from simulator.forward.photons import Photons, lamp_photons, spot_photons, target_photons
from simulator.forward.recording import Recording, lamp_intervals, register
from simulator.instrument import fuv
from simulator.instrument.modes import setting
from simulator.plan import ExposurePlan, FaultKind
from simulator.state import DetectorState, InstrumentState, Viewing, grid_values

__all__ = ["background", "dark_pulses", "dark_share", "record_segment", "to_raw"]

Floats = NDArray[np.float64]

_LOW_SHARE, _LOW_SCALE = 0.12, 2.0
"""Share of the background with low, exponentially distributed pulse heights, and their scale."""

_WIDE_SHARE, _WIDE_END = 0.68, 45.0
"""Share whose pulse heights fall linearly from 0 to where they end.

Those beyond 31 are in the last bin.
"""

_DARK_SIGMA = 3.0
"""Scatter of the others about the gain of the place: electrons that began at the front, as those of
photons do.

All as of events beside the spectra of real exposures of 2017 (ld9m10ujq, ldfd01vnq): 5 % each of
the pulse heights 0 to 3, 2.5 % at 15, 1.4 % at 30, and 4.5 % in the last bin.
"""

_STIM_PULSE_HEIGHT = 12
_PULSE_HEIGHTS = 32


def record_segment(
    plan: ExposurePlan,
    state: InstrumentState,
    viewing: Viewing,
    segment: str,
    generator: np.random.Generator,
) -> Recording:
    """Record one exposure with one segment.

    Parameters
    ----------
    plan, state, viewing
        The exposure.
    segment
        FUVA or FUVB.
    generator
        Source of randomness.
    """
    if plan.faults_of(FaultKind.NO_EVENTS):
        return Recording.empty()
    detector = state.detectors[segment]
    light = Photons.none()
    if plan.opt_elem:
        mode = setting(plan.opt_elem, plan.cenwave, segment)
        light = Photons.joined(
            target_photons(plan, state, viewing, mode, fuv.FLAT_MAXIMUM, generator),
            lamp_photons(plan, state, mode, lamp_intervals(plan), fuv.FLAT_MAXIMUM, generator),
        )
        light = _through_flat(segment, light, generator)
    dark = background(plan, detector, segment, generator)
    pulse = np.concatenate(
        [
            _light_pulses(plan, detector, segment, light, generator),
            dark_pulses(detector, dark, generator),
        ]
    )
    photons = Photons.joined(light, dark)
    stims = _stims(plan, detector, generator)
    raw = Photons.joined(Photons(photons.time, *to_raw(segment, detector, photons, pulse)), stims)
    pulse = np.concatenate([pulse, np.full(stims.time.size, _STIM_PULSE_HEIGHT, dtype=np.uint8)])
    return register(raw, pulse, fuv.SHAPE, plan.exptime, fuv.live_time, generator)


def _through_flat(segment: str, light: Photons, generator: np.random.Generator) -> Photons:
    light = light.chosen(fuv.SEGMENTS[segment].active.contains(light.x, light.y))
    response = fuv.flat_field(
        segment, np.rint(light.x).astype(np.int32), np.rint(light.y).astype(np.int32)
    )
    return light.chosen(generator.random(light.x.size) < response / fuv.FLAT_MAXIMUM)


def background(
    plan: ExposurePlan, detector: DetectorState, segment: str, generator: np.random.Generator
) -> Photons:
    """Return the dark counts, those of hot spots, and those of bursts and of the SAA where they are
    asked for.
    """
    area = fuv.SEGMENTS[segment].active
    bins = max(int(np.ceil(plan.exptime)), 1)
    edges = np.linspace(0.0, plan.exptime, bins + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    rate = detector.dark_rate(middle) * area.pixels
    for fault in plan.faults_of(FaultKind.SAA, segment):
        rate = np.where((middle >= fault.start) & (middle < fault.stop), rate * fault.amount, rate)
    for kind in (FaultKind.BURST, FaultKind.BAD_TIME):
        for fault in plan.faults_of(kind, segment):
            rate = rate + np.where(
                (middle >= fault.start) & (middle < fault.stop), fault.amount, 0.0
            )
    highest = float(detector.dark_map.max())
    counts = generator.poisson(rate * np.diff(edges) * highest)
    time = np.repeat(edges[:-1], counts) + generator.random(int(counts.sum())) * (
        plan.exptime / bins
    )
    x = generator.uniform(area.left, area.right + 1, time.size)
    y = generator.uniform(area.low, area.high + 1, time.size)
    kept = generator.random(time.size) * highest < grid_values(detector.dark_map, x, y)
    spots = spot_photons(detector.spots, plan.start, plan.exptime, generator)
    return Photons.joined(Photons(time, x, y).chosen(kept), spots)


def _light_pulses(
    plan: ExposurePlan,
    detector: DetectorState,
    segment: str,
    light: Photons,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    gain = grid_values(detector.modal_gain, light.x, light.y).astype(np.float64)
    for fault in plan.faults_of(FaultKind.HV_STEP, segment):
        gain += np.where(light.time >= fault.start, fault.amount * fuv.GAIN_PER_LEVEL, 0.0)
    return _digitise(gain + detector.gain_sigma * generator.normal(size=gain.size))


def dark_pulses(
    detector: DetectorState, dark: Photons, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Return the pulse heights of dark counts."""
    gain = grid_values(detector.modal_gain, dark.x, dark.y)
    kind = generator.random(dark.x.size)
    low = generator.exponential(_LOW_SCALE, gain.size)
    wide = _WIDE_END * (1.0 - np.sqrt(generator.random(gain.size)))
    pulses = np.where(kind < _LOW_SHARE, low, wide) - 0.5
    of_gain = kind >= _LOW_SHARE + _WIDE_SHARE
    return _digitise(
        np.where(of_gain, gain + _DARK_SIGMA * generator.normal(size=gain.size), pulses)
    )


def dark_share(low: int, high: int, gain: Floats | float) -> Floats:
    """Return the share of the background that has pulse heights from one to another, both included,
    against the modal gain.
    """
    # What is below is moved by half a bin before it is rounded.
    first, last = float(low), high + 1.0
    exponential = np.exp(-first / _LOW_SCALE) - np.exp(-last / _LOW_SCALE)
    linear = (1.0 - first / _WIDE_END) ** 2 - (1.0 - last / _WIDE_END) ** 2
    normal = ndtr((high + 0.5 - gain) / _DARK_SIGMA) - ndtr((low - 0.5 - gain) / _DARK_SIGMA)
    return np.asarray(
        _LOW_SHARE * exponential + _WIDE_SHARE * linear + (1.0 - _LOW_SHARE - _WIDE_SHARE) * normal
    )


def _digitise(pulse: Floats) -> NDArray[np.uint8]:
    return np.clip(np.rint(pulse), 0, _PULSE_HEIGHTS - 1).astype(np.uint8)


def to_raw(
    segment: str, detector: DetectorState, photons: Photons, pulse: NDArray[np.uint8]
) -> tuple[Floats, Floats]:
    """Apply walk, delta distortion, distortion and thermal stretch.

    The reverse of what CalCOS does.

    Parameters
    ----------
    segment
        FUVA or FUVB.
    detector
        Its state, of which the stims show the stretch.
    photons
        Events in the corrected frame.
    pulse
        Pulse height of each.

    Returns
    -------
    tuple of ndarray
        x and y in raw pixels, not rounded.

    Notes
    -----
    The corrections are functions of the position before them; evaluated at the position after them,
    walk and delta distortion are wrong by less than 1e-3 pixel, and the distortion by less than
    2e-3 pixel in a second round.
    """
    x = photons.x + fuv.walk_x(segment, pulse, photons.x)
    y = photons.y + fuv.walk_y(segment, pulse, photons.y)
    dx, dy = fuv.delta_distortion(segment, x, y)
    x, y = x + dx, y + dy
    dx, dy = fuv.distortion(segment, x, y)
    dx, dy = fuv.distortion(segment, x + dx, y + dy)
    x, y = x + dx, y + dy
    (ref1, ref2), (stim1, stim2) = fuv.SEGMENTS[segment].stims, detector.stims
    raw_x = stim1.x + (x - ref1[0]) * (stim2.x - stim1.x) / (ref2[0] - ref1[0])
    raw_y = stim1.y + (y - ref1[1]) * (stim2.y - stim1.y) / (ref2[1] - ref1[1])
    return raw_x, raw_y


def _stims(plan: ExposurePlan, detector: DetectorState, generator: np.random.Generator) -> Photons:
    """Draw the stim pulses in raw coordinates."""
    parts = []
    for stim in detector.stims:
        count = int(generator.poisson(0.5 * detector.stim_rate * plan.exptime))
        time = generator.random(count) * plan.exptime
        x, y = (
            generator.normal(stim.x, stim.sigma_x, count),
            generator.normal(stim.y, stim.sigma_y, count),
        )
        parts.append(Photons(time, x, y))
    return Photons.joined(*parts) if parts else Photons.none()
