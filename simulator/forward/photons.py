"""Photons as they fall onto the corrected frame of a detector, before the detector's
electronics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.forward.velocity import LIGHT, heliocentric_velocity, orbital_velocity
from simulator.instrument import fuv
from simulator.instrument.lamp import FLASH_RATE, lamp_spectrum
from simulator.instrument.modes import (
    APERTURES,
    BOA_TRANSMISSION,
    CROSS_SCALE,
    DISPERSION_SCALE,
    PROFILE_WING,
    Setting,
)
from simulator.plan import ExposurePlan, Flash, Spectrum
from simulator.state import HotSpot, InstrumentState, Viewing

__all__ = ["Photons", "brightness", "flux_of", "lamp_photons", "spot_photons", "target_photons"]

Floats = NDArray[np.float64]

_LINE_SPREAD = {"FUV": 2.4, "NUV": 1.1}
_BOA_SPREAD = 3.0  # times wider: its filter blurs (COS Instrument Handbook, Cycle 17, section 5.4)
_SPAN = {"FUV": (-700.0, 17100.0, 0.5), "NUV": (-450.0, 1500.0, 0.05)}
_KEPT = 1e-6


@dataclass(frozen=True)
class Photons:
    """Events in the corrected frame.

    Attributes
    ----------
    time
        Seconds since the exposure's start, shape (n,), in no order.
    x, y
        Pixels of the corrected frame, shape (n,).
    """

    time: Floats
    x: Floats
    y: Floats

    @classmethod
    def none(cls) -> "Photons":
        """Return no photons."""
        return cls(np.empty(0), np.empty(0), np.empty(0))

    @classmethod
    def joined(cls, *parts: "Photons") -> "Photons":
        """Return all photons of several sources."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("time", "x", "y")
            )
        )

    def chosen(self, mask: NDArray[np.bool_]) -> "Photons":
        """Return those for which `mask` holds."""
        return Photons(self.time[mask], self.x[mask], self.y[mask])


def flux_of(spectrum: Spectrum, wavelength: Floats) -> Floats:
    """Return the flux in erg/s/cm2/Angstrom at heliocentric wavelengths, same shape."""
    rest = wavelength / (1.0 + spectrum.velocity / LIGHT)
    flux = spectrum.flux * (np.maximum(rest, 1.0) / 1500.0) ** spectrum.index
    if spectrum.line_spacing > 0:
        centre = np.rint(rest / spectrum.line_spacing) * spectrum.line_spacing
        sigma = np.maximum(centre, 1.0) * spectrum.line_width / LIGHT
        flux = flux * (
            1.0
            + spectrum.line_flux
            * np.exp(-0.5 * ((rest - centre) / sigma) ** 2)
            / (sigma * np.sqrt(2 * np.pi))
        )
    return np.asarray(flux)


def brightness(spectrum: Spectrum, time: Floats) -> Floats:
    """Return the flux at times, seconds since the exposure's start, as a fraction of its mean.

    Same shape.
    """
    return np.asarray(1.0 + spectrum.amplitude * np.sin(2.0 * np.pi * time / spectrum.period))


def _draw_positions(expected: Floats, edges: Floats, generator: np.random.Generator) -> Floats:
    """Draw positions of a Poisson process with `expected` events (n,) between edges (n + 1,), in
    ascending bins.
    """
    counts = generator.poisson(expected)
    return np.asarray(
        np.repeat(edges[:-1], counts) + generator.random(int(counts.sum())) * (edges[1] - edges[0])
    )


def _grid(detector: str) -> tuple[Floats, Floats]:
    first, last, step = _SPAN[detector]
    edges = np.arange(first, last + step, step)
    return edges, 0.5 * (edges[1:] + edges[:-1])


def target_photons(
    plan: ExposurePlan,
    state: InstrumentState,
    viewing: Viewing,
    mode: Setting,
    flat_maximum: float,
    generator: np.random.Generator,
) -> Photons:
    """Return the photons of the target in one channel, before the flat field, which thins them by
    `flat_maximum`.

    Parameters
    ----------
    plan, state, viewing
        The exposure.
    mode
        Segment or stripe.
    flat_maximum
        How many times too many to draw.
    generator
        Source of randomness.
    """
    spectrum = plan.target.spectrum
    if spectrum is None or plan.aperture not in APERTURES:
        return Photons.none()
    channel = state.channels[mode.channel]
    edges, centres = _grid(mode.detector)
    wavelength = mode.wavelength(centres)
    velocity = heliocentric_velocity(
        plan.target.ra, plan.target.dec, 0.5 * (plan.start + plan.stop)
    )
    flux = flux_of(spectrum, wavelength * (1.0 - velocity / LIGHT))
    efficiency = fuv.hv_sensitivity(plan.hv_level(mode.channel)) if mode.detector == "FUV" else 1.0
    through, blur = (BOA_TRANSMISSION, _BOA_SPREAD) if plan.aperture == "BOA" else (1.0, 1.0)
    density = (
        flux
        * through
        * mode.sensitivity(wavelength)
        * channel.sensitivity(wavelength)
        * efficiency
        * np.diff(edges)
    )
    # Sensitivity is zero where no light falls; what is left of it there would only be thrown away
    # later.
    density = np.where(density > _KEPT * density.max(), density, 0.0)
    full = _draw_positions(
        density * plan.exptime * flat_maximum * (1.0 + spectrum.amplitude), edges, generator
    )
    time = generator.random(full.size) * plan.exptime
    if spectrum.amplitude:
        kept = generator.random(full.size) * (1.0 + spectrum.amplitude) < brightness(spectrum, time)
        full, time = full[kept], time[kept]
    count = full.size
    along, across = state.target_offset
    full += along * DISPERSION_SCALE[mode.detector]
    x = full + generator.normal(0.0, blur * _LINE_SPREAD[mode.detector], count)
    x += mode.fp_shift(plan.fpoffset) + channel.shift_dispersion(time)
    x += channel.wavelength_offset + channel.wavelength_stretch * (full - mode.middle)
    if plan.obsmode == "TIME-TAG":
        # In ACCUM the flight software takes the orbital velocity out before it adds an event to the
        # image.
        velocities = orbital_velocity(viewing, plan.start, time)
        x += velocities / LIGHT * mode.wavelength(full) / mode.dispersion(full)
    y = (
        mode.science_row(plan.life_adj)
        + mode.science_slope * x
        + across * CROSS_SCALE[mode.detector]
    )
    if mode.detector == "FUV":
        y += mode.trace(x)
    y += channel.shift_cross(time) + _profile(mode, full, generator)
    return Photons(time, x, y)


def _profile(mode: Setting, x: Floats, generator: np.random.Generator) -> Floats:
    share, wide = PROFILE_WING if mode.detector == "FUV" else (0.0, 1.0)
    sigma = mode.profile_sigma(x)
    in_wing = generator.random(x.size) < share
    return np.asarray(generator.normal(0.0, 1.0, x.size) * np.where(in_wing, wide * sigma, sigma))


def lamp_photons(
    plan: ExposurePlan,
    state: InstrumentState,
    mode: Setting,
    intervals: tuple[Flash, ...],
    flat_maximum: float,
    generator: np.random.Generator,
) -> Photons:
    """Return the photons of the wavelength-calibration lamp in one channel, before the flat field.

    The BOA blocks it.

    Parameters
    ----------
    plan, state
        The exposure.
    mode
        Segment or stripe.
    intervals
        When the lamp is on.
    flat_maximum
        How many times too many to draw.
    generator
        Source of randomness.
    """
    if not mode.has_lamp_lines or plan.lamp == "NONE" or plan.aperture == "BOA" or not intervals:
        return Photons.none()
    channel = state.channels[mode.channel]
    edges, centres = _grid(mode.detector)
    density = lamp_spectrum(mode, centres) * np.diff(edges)
    rate = FLASH_RATE[mode.detector] * channel.lamp * flat_maximum
    drawn = [
        _draw_positions(density * rate * (flash.off - flash.on), edges, generator)
        for flash in intervals
    ]
    x = np.concatenate(drawn)
    time = np.concatenate(
        [
            generator.uniform(flash.on, flash.off, part.size)
            for flash, part in zip(intervals, drawn, strict=True)
        ]
    )
    x += channel.wavelength_stretch * (x - mode.middle)
    x += mode.fp_shift(plan.fpoffset) + channel.shift_dispersion(time)
    y = mode.lamp_row(plan.life_adj) + mode.lamp_slope * x + channel.shift_cross(time)
    y += generator.normal(0.0, 2.5, time.size)
    return Photons(time, x, y)


def spot_photons(
    spots: Sequence[HotSpot], start: float, exptime: float, generator: np.random.Generator
) -> Photons:
    """Draw the counts of hot spots during an exposure, in the corrected frame.

    Parameters
    ----------
    spots
        Those of the detector.
    start
        EXPSTART, MJD UTC.
    exptime
        Length of the exposure, seconds.
    generator
        Source of randomness.
    """
    parts = []
    for spot in spots:
        on, off = (
            float(np.clip((mjd - start) * 86400.0, 0.0, exptime)) for mjd in (spot.start, spot.stop)
        )
        count = int(generator.poisson(spot.rate * (off - on)))
        time = generator.uniform(on, off, count)
        parts.append(
            Photons(
                time,
                generator.normal(spot.x, spot.sigma_x, count),
                generator.normal(spot.y, spot.sigma_y, count),
            )
        )
    return Photons.joined(*parts) if parts else Photons.none()
