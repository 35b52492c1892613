"""Recording of the NUV detector: spectra of three stripes or an image, background, dead time."""

import numpy as np
from numpy.typing import NDArray

from simulator.forward.imaging import lamp_image, target_image
from simulator.forward.photons import Photons, lamp_photons, spot_photons, target_photons
from simulator.forward.recording import Recording, lamp_intervals, register
from simulator.instrument import nuv
from simulator.instrument.modes import GRATINGS, setting
from simulator.plan import ExposurePlan, FaultKind
from simulator.state import DetectorState, InstrumentState, Viewing, grid_values

__all__ = ["record_nuv"]

Floats = NDArray[np.float64]


def record_nuv(
    plan: ExposurePlan, state: InstrumentState, viewing: Viewing, generator: np.random.Generator
) -> Recording:
    """Record one exposure with the NUV detector.

    Parameters
    ----------
    plan, state, viewing
        The exposure.
    generator
        Source of randomness.
    """
    if plan.faults_of(FaultKind.NO_EVENTS):
        return Recording.empty()
    light = _through_flat(_light(plan, state, viewing, generator), generator)
    photons = Photons.joined(light, _background(plan, state.detectors["NUV"], generator))
    return register(
        photons,
        np.zeros(photons.time.size, "u1"),
        nuv.SHAPE,
        plan.exptime,
        nuv.live_time,
        generator,
    )


def _light(
    plan: ExposurePlan, state: InstrumentState, viewing: Viewing, generator: np.random.Generator
) -> Photons:
    if plan.opt_elem not in GRATINGS:
        return Photons.joined(
            target_image(plan, state, generator), lamp_image(plan, state, generator)
        )
    parts = []
    for channel in GRATINGS[plan.opt_elem].channels:
        mode = setting(plan.opt_elem, plan.cenwave, channel)
        parts.append(target_photons(plan, state, viewing, mode, nuv.FLAT_MAXIMUM, generator))
        parts.append(
            lamp_photons(plan, state, mode, lamp_intervals(plan), nuv.FLAT_MAXIMUM, generator)
        )
    return Photons.joined(*parts)


def _through_flat(light: Photons, generator: np.random.Generator) -> Photons:
    response = nuv.flat_field(np.rint(light.x).astype(np.int32), np.rint(light.y).astype(np.int32))
    return light.chosen(generator.random(light.x.size) < response / nuv.FLAT_MAXIMUM)


def _background(
    plan: ExposurePlan, detector: DetectorState, generator: np.random.Generator
) -> Photons:
    bins = max(int(np.ceil(plan.exptime)), 1)
    edges = np.linspace(0.0, plan.exptime, bins + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    rate = detector.dark_rate(middle) * nuv.SIZE**2
    for fault in plan.faults_of(FaultKind.SAA):
        rate = np.where((middle >= fault.start) & (middle < fault.stop), rate * fault.amount, rate)
    for kind in (FaultKind.BURST, FaultKind.BAD_TIME):
        for fault in plan.faults_of(kind):
            rate = rate + np.where(
                (middle >= fault.start) & (middle < fault.stop), fault.amount, 0.0
            )
    highest = float(detector.dark_map.max())
    counts = generator.poisson(rate * np.diff(edges) * highest)
    time = np.repeat(edges[:-1], counts) + generator.random(int(counts.sum())) * (
        plan.exptime / bins
    )
    x, y = generator.uniform(-0.5, nuv.SIZE - 0.5, (2, time.size))
    kept = generator.random(time.size) * highest < grid_values(detector.dark_map, x, y)
    spots = spot_photons(detector.spots, plan.start, plan.exptime, generator)
    return Photons.joined(Photons(time, x, y).chosen(kept), spots)
