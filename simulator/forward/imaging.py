"""Photons of NUV images.

The target through the aperture, and the spot of the wavelength-calibration lamp.
"""

import numpy as np
from numpy.typing import NDArray

from simulator.forward.photons import Photons
from simulator.forward.recording import lamp_intervals
from simulator.instrument import nuv
from simulator.instrument.modes import APERTURES, BOA_TRANSMISSION, CROSS_SCALE
from simulator.plan import ExposurePlan
from simulator.state import ChannelState, InstrumentState

__all__ = ["LAMP_SPOT", "TARGET_PLACE", "image_rate", "lamp_image", "target_image"]

LAMP_SPOT = (600.0, 606.0)
"""Where CalCOS expects the lamp's spot (X0, Y0 of its imaging wavecal), pixels."""

TARGET_PLACE = (555.0, 232.0)
"""Where a centred target falls: the lamp's spot and WCA2SCIX, WCA2SCIY of acquisition files,
pixels.
"""

_MIRROR_B = 0.05
_CORE, _WING, _WING_SHARE = 1.4, 9.0, 0.25
_LAMP_RATE = {"MIRRORA": 900.0, "MIRRORB": 300.0}
_LAMP_SIGMA = 2.0


def image_rate(plan: ExposurePlan) -> float:
    """Give the count/s of the whole target in an image; MIRRORB and the BOA dim it."""
    if plan.aperture not in APERTURES:
        return 0.0
    mirror = _MIRROR_B if plan.opt_elem == "MIRRORB" else 1.0
    return plan.target.imaging_rate * mirror * (BOA_TRANSMISSION if plan.aperture == "BOA" else 1.0)


def target_image(
    plan: ExposurePlan, state: InstrumentState, generator: np.random.Generator
) -> Photons:
    """Return the photons of the target before the flat field, which thins them by the flat's
    maximum.

    Parameters
    ----------
    plan, state
        The exposure.
    generator
        Source of randomness.
    """
    count = int(generator.poisson(image_rate(plan) * plan.exptime * nuv.FLAT_MAXIMUM))
    time = generator.random(count) * plan.exptime
    offset = np.array(state.target_offset) * CROSS_SCALE["NUV"]
    sigma = np.where(generator.random(count) < _WING_SHARE, _WING, _CORE)
    return _placed(time, np.array(TARGET_PLACE) + offset, sigma, state.channels["NUVA"], generator)


def lamp_image(
    plan: ExposurePlan, state: InstrumentState, generator: np.random.Generator
) -> Photons:
    """Return the photons of the lamp's spot before the flat field, which thins them by the flat's
    maximum.

    Parameters
    ----------
    plan, state
        The exposure.
    generator
        Source of randomness.
    """
    flashes = lamp_intervals(plan)
    if plan.opt_elem not in _LAMP_RATE or plan.lamp == "NONE" or not flashes:
        return Photons.none()
    rate = _LAMP_RATE[plan.opt_elem] * state.channels["NUVA"].lamp * nuv.FLAT_MAXIMUM
    time = np.concatenate(
        [
            generator.uniform(flash.on, flash.off, generator.poisson(rate * (flash.off - flash.on)))
            for flash in flashes
        ]
    )
    sigma = np.full(time.size, _LAMP_SIGMA)
    return _placed(time, np.array(LAMP_SPOT), sigma, state.channels["NUVA"], generator)


def _placed(
    time: NDArray[np.float64],
    place: NDArray[np.float64],
    sigma: NDArray[np.float64],
    channel: ChannelState,
    generator: np.random.Generator,
) -> Photons:
    """Spread photons about a place that moves with the mirror."""
    x = place[0] + channel.shift_dispersion(time) + sigma * generator.normal(size=time.size)
    y = place[1] + channel.shift_cross(time) + sigma * generator.normal(size=time.size)
    return Photons(time, x, y)
