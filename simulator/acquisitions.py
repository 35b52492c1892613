"""Target acquisitions: what the detector counts at each step, and the slew that the flight software
makes of it.

The telescope's error is known, so is the error that each algorithm leaves: a centroid of few dwells
is biased and noisy, as on orbit. Slews are in the aperture's axes, arcsec along (x) and across
dispersion (y).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from simulator.instrument.modes import BOA_TRANSMISSION, setting
from simulator.plan import ExposurePlan
from simulator.state import InstrumentState

__all__ = [
    "LAMP_SECONDS",
    "PLATE_SCALE",
    "SUBARRAY",
    "Dwells",
    "ImageAcquisition",
    "LampPeakup",
    "Search",
    "search_of",
]

Floats = NDArray[np.float64]

PLATE_SCALE: Final = 42.5
"""Pixels per arcsec of the NUV mirrors (calcos)."""
SUBARRAY: Final = (8, 268, 816, 345)
"""First column and row, width and height of what an acquisition image records (real files)."""
LAMP_SECONDS: Final = 12.0
"""Lamp exposure of an acquisition."""
PEAKXD_DWELLS_START: Final = 58028.0
"""MJD 2017-10-02, from which FUV PEAKXD dwells instead of using the lamp (with lifetime position
4).
"""

_RADIUS, _BLUR = 1.25, 0.36
"""Radius of the aperture in arcsec.

Sigma of the aberrated image at its edge, which loses 1 % of the light at 0.4 and
5 % at 0.65 arcsec off centre (COS Instrument Handbook, section 8)."""
_WCA_TO_SCIENCE: Final = {"MIRRORA": (-45.0, -374.0), "MIRRORB": (-46.0, -374.0)}
"""Offset of the aperture's image from the lamp's in user pixels (WCA2SCIX, WCA2SCIY)."""
_LAMP_SPOT: Final = {"MIRRORA": (545.0, 812.0), "MIRRORB": (330.0, 812.0)}
"""Lamp spot in user pixels before the mechanism's error: 460 to 630 and 260 to 400 on orbit."""
_LAMP_RATE = {"MIRRORA": 900.0, "MIRRORB": 300.0, "FUV": 110.0, "NUV": 240.0}
"""count / s of a fresh lamp in an acquisition."""
_CORE, _WING, _WING_SHARE = 1.4, 9.0, 0.25
"""Sigma of the image's core and wing in pixels, and the wing's share of the light."""
_MIRROR_B = 0.05
"""Throughput of MIRRORB over MIRRORA."""
_ARCSEC_PER_PIXEL = {"FUV": 0.0909, "NUV": 0.0238}
"""Across dispersion, for a slew measured in pixels."""
_MINIMUM_COUNTS = 20
"""Fewer counts at the best place mean failure."""


@dataclass(frozen=True)
class Search:
    """Scan of an acquisition.

    Parameters
    ----------
    size
        Dwells of a peak-up, or the edge of the square of a search.
    step
        Arcsec between dwells.
    method
        FLUXWT: flux-weighted centroid; FLUXFLR: the same above the faintest dwell.
    """

    size: int
    step: float
    method: str


def search_of(plan: ExposurePlan) -> Search:
    """Scan that an acquisition makes: the ones that most visits use."""
    match plan.exptype:
        case "ACQ/SEARCH":
            return Search(
                3 if plan.detector == "FUV" else 2,
                1.767,
                "FLUXFLR" if plan.detector == "FUV" else "FLUXWT",
            )
        case "ACQ/PEAKD":
            return Search(5, 0.9, "FLUXFLR")
        case "ACQ/PEAKXD" if plan.detector == "FUV" and plan.start >= PEAKXD_DWELLS_START:
            return Search(3, 1.3, "FLUXWT")
        case _:
            return Search(1, 0.0, "N/A")


def transmission(x: Floats, y: Floats) -> Floats:
    """Return the share of a point source's light that passes the aperture, at distances in arcsec
    from its centre.
    """
    return np.asarray(
        0.5 * erfc((np.hypot(x, y) - _RADIUS) / (_BLUR * np.sqrt(2.0))), dtype=np.float64
    )


def count_rate(plan: ExposurePlan, state: InstrumentState) -> float:
    """Give the count / s of the centred target on the detector in the plan's mode."""
    target = plan.target
    factor = BOA_TRANSMISSION if plan.aperture == "BOA" else 1.0
    if plan.opt_elem.startswith("MIRROR"):
        return target.imaging_rate * factor * (_MIRROR_B if plan.opt_elem == "MIRRORB" else 1.0)
    if target.spectrum is None:
        return 0.0
    names = plan.segments if plan.detector == "FUV" else ("NUVA", "NUVB", "NUVC")
    pixels = np.arange(1100.0, 15200.0) if plan.detector == "FUV" else np.arange(0.0, 1024.0)
    total = 0.0
    for name in names:
        mode = setting(plan.opt_elem, plan.cenwave, name)
        wavelength = mode.wavelength(pixels)
        seen = wavelength > 900.0
        flux = (
            target.spectrum.flux * (np.maximum(wavelength, 900.0) / 1500.0) ** target.spectrum.index
        )
        sensitivity = state.channels[name].sensitivity(wavelength)
        total += float(np.sum((flux * mode.sensitivity(wavelength) * sensitivity)[seen]))
    return factor * total


@dataclass(frozen=True)
class Dwells:
    """Outcome of a search or of a peak-up that dwells.

    Parameters
    ----------
    search
        The scan.
    x, y
        Offset of each dwell in arcsec.
    counts
        Counts of each, the floor subtracted.
    floor
        Counts of the faintest dwell, with FLUXFLR; else 0.
    slew
        Slew along and across dispersion in arcsec; 0 along an axis that is not scanned.
    success
        Whether the target was found.
    """

    search: Search
    x: Floats
    y: Floats
    counts: NDArray[np.int64]
    floor: int
    slew: tuple[float, float]
    success: bool

    @classmethod
    def observe(
        cls, plan: ExposurePlan, state: InstrumentState, chance: np.random.Generator
    ) -> "Dwells":
        """Return the count at every dwell, and take the centroid."""
        search = search_of(plan)
        x, y = _offsets(plan.exptype, search)
        off_x, off_y = state.target_offset
        detector = state.detectors["NUV"] if plan.detector == "NUV" else state.detectors["FUVA"]
        background = float(detector.dark_rate(0.0)) * (2**20 if plan.detector == "NUV" else 6e6)
        rate = count_rate(plan, state) * transmission(x - off_x, y - off_y) + background
        counts = chance.poisson(rate * plan.exptime)
        floor = int(counts.min()) if search.method == "FLUXFLR" else 0
        counts = counts - floor
        success = int(counts.max()) >= _MINIMUM_COUNTS
        total = max(int(counts.sum()), 1)
        slew = (
            (float(np.sum(x * counts) / total), float(np.sum(y * counts) / total))
            if success
            else (0.0, 0.0)
        )
        return cls(search, x, y, counts, floor, slew, success)


def _offsets(exptype: str, search: Search) -> tuple[Floats, Floats]:
    """Return the offset of each dwell: the centre first, then from one end to the other.

    A search spirals outwards.
    """
    if exptype == "ACQ/SEARCH":
        x, y = _spiral(search.size)
        return search.step * x, search.step * y
    line = (np.arange(search.size, dtype=np.float64) - search.size // 2) * search.step
    line = np.concatenate([np.zeros(1), line[line != 0.0]])
    return (line, np.zeros_like(line)) if exptype == "ACQ/PEAKD" else (np.zeros_like(line), line)


def _spiral(size: int) -> tuple[Floats, Floats]:
    """Return the square spiral of ``size`` x ``size`` unit steps about its middle."""
    places = [(0.0, 0.0)]
    direction, length = (1.0, 0.0), 1
    while len(places) < size * size:
        for _ in range(2):
            for _ in range(length):
                places.append((places[-1][0] + direction[0], places[-1][1] + direction[1]))
            direction = (-direction[1], direction[0])
        length += 1
    spots = np.asarray(places[: size * size])
    middle = spots.mean(axis=0)
    return spots[:, 0] - middle[0], spots[:, 1] - middle[1]


@dataclass(frozen=True)
class LampPeakup:
    """Outcome of a PEAKXD that compares the target's row with the lamp's.

    Parameters
    ----------
    lamp_row, lamp_counts
        Measured row of the lamp and the counts it was measured from.
    measured, preferred
        Row of the target, and where it should be, user pixels.
    counts
        Counts of the target.
    slew
        Slew across dispersion in arcsec.
    success
        Whether the target was found.
    """

    lamp_row: float
    lamp_counts: int
    measured: float
    preferred: float
    counts: int
    slew: float
    success: bool

    @classmethod
    def observe(
        cls, plan: ExposurePlan, state: InstrumentState, chance: np.random.Generator
    ) -> "LampPeakup":
        """Find lamp and target, and the slew between them."""
        name = "FUVB" if plan.detector == "FUV" else "NUVB"
        name = plan.segments[0] if plan.detector == "FUV" and name not in plan.segments else name
        mode, channel = setting(plan.opt_elem, plan.cenwave, name), state.channels[name]
        moved = float(channel.shift_cross(0.0))
        science, lamp = (
            mode.science_row(plan.life_adj) + moved,
            mode.lamp_row(plan.life_adj) + moved,
        )
        scale = _ARCSEC_PER_PIXEL[plan.detector]
        off_x, off_y = state.target_offset
        passed = float(transmission(np.asarray(off_x), np.asarray(off_y)))
        counts = int(chance.poisson(count_rate(plan, state) * passed * plan.exptime))
        lamp_counts = int(chance.poisson(_LAMP_RATE[plan.detector] * LAMP_SECONDS * channel.lamp))
        noise = chance.normal(0.0, 2.5 / np.sqrt([max(counts, 1), max(lamp_counts, 1)]))
        lamp_row = round(lamp + noise[1], 1)
        preferred = round(lamp_row + science - lamp, 1)
        success = counts >= _MINIMUM_COUNTS
        measured = round(science + off_y / scale + noise[0], 1) if success else preferred
        return cls(
            lamp_row,
            lamp_counts,
            measured,
            preferred,
            counts,
            round((measured - preferred) * scale, 3),
            success,
        )


@dataclass(frozen=True)
class ImageAcquisition:
    """Outcome of an acquisition image.

    Parameters
    ----------
    images
        Counts before and after the slew, int32 of shape (2, 1024, 1024) in user pixels.
    lamp_spot, lamp_counts
        Measured centroid of the lamp in user pixels and the counts it was measured from.
    centroid, preferred
        Target before the slew, and where it should be, user pixels.
    slew
        Slew along and across dispersion in arcsec.
    success
        Whether the target was found.
    """

    images: NDArray[np.int32]
    lamp_spot: tuple[float, float]
    lamp_counts: int
    centroid: tuple[float, float]
    preferred: tuple[float, float]
    slew: tuple[float, float]
    success: bool

    @classmethod
    def observe(
        cls, plan: ExposurePlan, state: InstrumentState, chance: np.random.Generator
    ) -> "ImageAcquisition":
        """Image the target, find it and the lamp, slew, and image it again."""
        channel = state.channels["NUVA"]
        moved = np.array([float(channel.shift_dispersion(0.0)), float(channel.shift_cross(0.0))])
        lamp_counts = int(chance.poisson(_LAMP_RATE[plan.opt_elem] * LAMP_SECONDS * channel.lamp))
        lamp = np.round(
            _LAMP_SPOT[plan.opt_elem]
            + moved
            + chance.normal(0.0, 1.5 / np.sqrt(lamp_counts + 1), 2)
        )
        preferred = lamp + _WCA_TO_SCIENCE[plan.opt_elem]
        centre = np.asarray(_LAMP_SPOT[plan.opt_elem]) + moved + _WCA_TO_SCIENCE[plan.opt_elem]
        offset = np.asarray(state.target_offset)
        first = _expose(plan, state, centre, offset, chance)
        place = _centroid(first)
        success = place is not None
        measured = np.round(preferred if place is None else place, 1)
        slew = np.round((measured - preferred) / PLATE_SCALE, 3)
        second = _expose(plan, state, centre, offset - slew, chance)
        return cls(
            np.stack([first, second]),
            (float(lamp[0]), float(lamp[1])),
            lamp_counts,
            (float(measured[0]), float(measured[1])),
            (float(preferred[0]), float(preferred[1])),
            (float(slew[0]), float(slew[1])),
            success,
        )


def _expose(
    plan: ExposurePlan,
    state: InstrumentState,
    centre: Floats,
    offset: Floats,
    chance: np.random.Generator,
) -> NDArray[np.int32]:
    """Return the image of a point source at an offset in arcsec from the aperture's centre."""
    left, low, width, height = SUBARRAY
    rate = count_rate(plan, state) * float(transmission(offset[0], offset[1]))
    events = int(chance.poisson(rate * plan.exptime))
    wing = chance.random(events) < _WING_SHARE
    spread = np.where(wing, _WING, _CORE)[:, None] * chance.normal(size=(events, 2))
    places = np.floor(centre + offset * PLATE_SCALE + spread + 0.5).astype(np.int64)
    dark = int(
        chance.poisson(float(state.detectors["NUV"].dark_rate(0.0)) * width * height * plan.exptime)
    )
    noise = np.stack(
        [chance.integers(left, left + width, dark), chance.integers(low, low + height, dark)],
        axis=-1,
    )
    x, y = np.concatenate([places, noise]).T
    inside = (x >= left) & (x < left + width) & (y >= low) & (y < low + height)
    image = np.bincount(y[inside] * 1024 + x[inside], minlength=1024 * 1024).reshape(1024, 1024)
    return image.astype(np.int32)


def _centroid(image: NDArray[np.int32], box: int = 9) -> Floats | None:
    """Return the centroid (x, y) of the brightest box of ``box`` pixels, as the flight software
    takes it.

    None where nothing stands out of the background by five sigma.
    """
    padded = np.pad(image.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums = padded[box:, box:] - padded[:-box, box:] - padded[box:, :-box] + padded[:-box, :-box]
    row, column = np.unravel_index(int(sums.argmax()), sums.shape)
    _, _, width, height = SUBARRAY
    background = float(image.sum()) / (width * height)
    expected = background * box * box
    if sums[row, column] < max(expected + 5.0 * np.sqrt(expected + 1.0), _MINIMUM_COUNTS):
        return None
    cut = np.maximum(image[row : row + box, column : column + box] - background, 0.0)
    y, x = np.indices(cut.shape)
    return np.array([column + np.sum(x * cut) / cut.sum(), row + np.sum(y * cut) / cut.sum()])
