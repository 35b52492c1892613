"""Evolution of the instrument: pure functions of its description and a time.

Each function is what a monitor is meant to find. Numbers are those of the real instrument where a
source is named, and of the right size otherwise. Random quantities (a mechanism's landing, a zero
point's step) are drawn from the description's seed and a name, so the same description always has
the same history.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.cos.instrument_history import (
    FGS_BREAKS,
    LIFETIME_POSITIONS,
    LifetimePosition,
    Segment,
    high_voltage,
    lifetime_position,
)
from simulator.background import amplifier_temperature
from simulator.description import FIRST_LIGHT, YEAR, Instrument
from simulator.instrument.decline import WAVELENGTHS, decline
from simulator.instrument.modes import setting
from simulator.state import Curve

__all__ = [
    "blind_pointing",
    "dispersion_change",
    "hv_level",
    "lamp_output",
    "landing",
    "modal_gain",
    "osm_drift",
    "osm_drift_across",
    "sensitivity",
    "spectrum_row",
    "stim_offsets",
    "zero_point",
]

Floats = NDArray[np.float64]

GAIN_PER_LEVEL: Final = 0.393
"""Pulse-height bins per commanded level of high voltage. Source: legacy ``cos_monitoring``, gain
maps.
"""
REFERENCE_LEVEL: Final = 178
DRIFT_SECONDS: Final = 3000.0
"""Time constant of the drift after a move of the optics: about 50 minutes (COS Instrument
Handbook).
"""

_PRISTINE_GAIN: dict[Segment, float] = {"FUVA": 15.0, "FUVB": 14.5}
"""Modal pulse height of fresh detector at the reference level, in bins.

Gives 11.5 at level 169 (FUVA in 2009).
"""
_SAG_PER_YEAR = 0.9
"""Bins lost per year under a spectrum of continuum, at the usage of an average year."""
_AIRGLOW_SAG = 2.2
"""How much faster the gain falls where Lyman alpha airglow lands."""
_AIRGLOW_COLUMNS: dict[Segment, tuple[float, float]] = {
    "FUVA": (2500.0, 260.0),
    "FUVB": (9100.0, 300.0),
}
"""Centre and sigma in pixels of the airglow patch."""
_SPOT_SIGMA = 5.0
"""Sigma in pixels across dispersion of the exposed strip."""
_EXCESS_START = 59580.0
"""MJD 2022-01-01, from which the decline is steeper than the sensitivity table foresees (STScI
Analysis Newsletter, May 2024)."""
_EXCESS: dict[str, float] = {"FUV": -1.5, "NUV": 0.0}
"""Percent per year by which it is."""
_LAMP_FADING = {"P1": 1.2, "P2": 0.4, "D1": 3.0, "D2": 1.0, "NONE": 0.0}
"""Percent of lost output per year."""
_NUV_TRENDS = {"G185M": -2.6, "G225M": -1.8, "G285M": -0.6, "G230L": -4.5}
"""Zero point in pixels per year, which the search offsets of the wavecal tables followed (-20, -10,
0, -40).
"""


def hv_level(instrument: Instrument, segment: Segment, mjd: float) -> int:
    """Return the nominal commanded level of high voltage of a segment."""
    later = [
        (date, level) for name, date, level in instrument.raises if name == segment and date <= mjd
    ]
    return max(later)[1] if later else high_voltage(segment, mjd)


def dispersion_change(instrument: Instrument, opt_elem: str, mjd: float) -> tuple[float, float]:
    """Return the displacement of targets against the lamp in pixels, and the stretch of spectra."""
    later = [
        (date, offset, stretch)
        for grating, date, offset, stretch in instrument.dispersions
        if grating == opt_elem and date <= mjd
    ]
    return max(later)[1:] if later else (0.0, 0.0)


def modal_gain(
    instrument: Instrument, segment: Segment, mjd: float, x: ArrayLike, y: ArrayLike
) -> Floats:
    """Return the modal pulse height on a segment.

    Parameters
    ----------
    instrument
        Description.
    segment
        Segment.
    mjd
        Time, MJD UTC.
    x, y
        Places in pixels of the corrected frame, broadcast with each other.

    Returns
    -------
    NDArray
        Modal gain in pulse-height bins, at least 1: that of the voltage, less what exposure took at
        every lifetime position so far.
    """
    columns, rows = np.broadcast_arrays(
        np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    )
    centre, width = _AIRGLOW_COLUMNS[segment]
    pattern = 1.0 + _AIRGLOW_SAG * np.exp(-0.5 * ((columns - centre) / width) ** 2)
    used = np.zeros_like(pattern)
    for position in LIFETIME_POSITIONS:
        distance = (rows - spectrum_row(segment, position)) / _SPOT_SIGMA
        used += _years_of_use(mjd, position.number) * np.exp(-0.5 * distance**2)
    level = hv_level(instrument, segment, mjd)
    fresh = _PRISTINE_GAIN[segment] - GAIN_PER_LEVEL * (REFERENCE_LEVEL - level)
    return np.asarray(
        np.maximum(fresh - _SAG_PER_YEAR * instrument.sag * pattern * used, 1.0), dtype=np.float64
    )


def spectrum_row(segment: Segment, position: LifetimePosition) -> float:
    """Return row of the PSA's spectrum in pixels of the corrected frame at a lifetime position."""
    return setting("G130M", 1291, segment).science_row(position.number)


def _years_of_use(mjd: float, number: int) -> float:
    """Return the years for which the standard G130M setting was at a lifetime position until a
    time, or G160M for the sixth.
    """
    grating, cenwave = ("G160M", 1577) if number == 6 else ("G130M", 1291)
    mine = next(position for position in LIFETIME_POSITIONS if position.number == number)
    end = next(
        (
            later.start
            for later in LIFETIME_POSITIONS
            if later.start > mine.start
            and lifetime_position(later.start, grating, cenwave).number == later.number
        ),
        np.inf,
    )
    return float(max(min(mjd, end) - mine.start, 0.0) / YEAR)


def stim_offsets(
    instrument: Instrument, segment: Segment, mjd: float
) -> tuple[tuple[float, float], ...]:
    """Return the displacement of the two stim pulses from their reference positions, in pixels.

    Returns
    -------
    tuple
        (x, y) of the upper left and of the lower right: the digitiser's image stretches and shifts
        with its temperature, and slowly with age.
    """
    warm = float(amplifier_temperature(instrument, segment, mjd)) - 25.0
    age = (mjd - FIRST_LIGHT) / YEAR
    stretch_x, stretch_y = 8.0 + 2.4 * warm + 0.35 * age, -(0.6 + 0.5 * warm)
    shift_x, shift_y = 4.0 + 1.1 * warm, 0.4 + 0.25 * warm
    return (
        (shift_x - 0.5 * stretch_x, shift_y - 0.5 * stretch_y),
        (shift_x + 0.5 * stretch_x, shift_y + 0.5 * stretch_y),
    )


def zero_point(instrument: Instrument, grating: str, mjd: float) -> tuple[float, float]:
    """Return where a grating's spectra land with respect to the lamp template.

    Pixels along and across dispersion.

    Steps come at drawn times, about one in 16 months; NUV gratings also creep.
    """
    chance = instrument.chance("zero point", grating)
    gaps = chance.exponential(480.0, size=40)
    along, across = chance.normal(0.0, 4.0, size=40), chance.normal(0.0, 0.6, size=40)
    happened = FIRST_LIGHT + np.cumsum(gaps) <= mjd
    creep = _NUV_TRENDS.get(grating, 0.0) * (mjd - FIRST_LIGHT) / YEAR
    return float(along[happened].sum() / 2.0 + creep), float(across[happened].sum() / 2.0)


def landing(instrument: Instrument, grating: str, moved: float) -> tuple[float, float]:
    """Return the chance offset in pixels, along and across dispersion, of one move of the optics
    select mechanism.

    Parameters
    ----------
    instrument
        Description.
    grating
        OPT_ELEM.
    moved
        MJD at which the mechanism stopped: the same move has the same offset in all exposures that
        follow it.
    """
    along, across = instrument.chance("landing", grating, round(moved, 5)).normal(0.0, (2.5, 0.5))
    return float(along), float(across)


def osm_drift(instrument: Instrument, grating: str, moved: float, mjd: ArrayLike) -> Floats:
    """Return the creep along dispersion in pixels after a move at an MJD.

    Up to some pixels, levelling off within hours.
    """
    size = instrument.chance("drift", grating, round(moved, 5)).normal(1.0, 0.25)
    amplitude = {"G130M": -2.2, "G160M": -2.6, "G140L": -1.8}.get(grating, 1.6)
    elapsed = np.maximum(np.asarray(mjd, dtype=np.float64) - moved, 0.0) * 86400.0
    return np.asarray(amplitude * size * (1.0 - np.exp(-elapsed / DRIFT_SECONDS)), dtype=np.float64)


def osm_drift_across(instrument: Instrument, grating: str, moved: float, mjd: ArrayLike) -> Floats:
    """Return the creep across dispersion in pixels after a move at an MJD: tenths of a pixel."""
    size = instrument.chance("drift across", grating, round(moved, 5)).normal(0.4, 0.1)
    elapsed = np.maximum(np.asarray(mjd, dtype=np.float64) - moved, 0.0) * 86400.0
    return np.asarray(size * (1.0 - np.exp(-elapsed / DRIFT_SECONDS)), dtype=np.float64)


def sensitivity(detector: str, mjd: float) -> Curve:
    """Return the sensitivity relative to first light against wavelength in Angstrom.

    Parameters
    ----------
    detector
        FUV or NUV.
    mjd
        Time, MJD UTC. Since 2022 the FUV declines faster than the time-dependent sensitivity table
        says.
    """
    excess = 1.0 + _EXCESS[detector] / 100.0 * max(mjd - _EXCESS_START, 0.0) / YEAR
    return Curve(
        tuple(map(float, WAVELENGTHS[detector])), tuple(map(float, excess * decline(detector, mjd)))
    )


def lamp_output(lamp: str, mjd: ArrayLike) -> Floats:
    """Return the output of a calibration lamp relative to first light."""
    age = (np.asarray(mjd, dtype=np.float64) - FIRST_LIGHT) / YEAR
    return np.asarray(np.exp(-_LAMP_FADING[lamp] / 100.0 * age), dtype=np.float64)


def blind_pointing(instrument: Instrument, fgs: str, mjd: float) -> tuple[float, float]:
    """Return the offset of a target after guide-star acquisition, before any slew, in arcsec along
    V2 and V3.

    It creeps with the alignment of the guidance sensor and is set back, not quite to zero, at its
    dated alignments.
    """
    dates = [_mjd_of(text) for text in FGS_BREAKS[fgs]]
    interval = sum(date <= mjd for date in dates)
    start = dates[interval - 1] if interval else FIRST_LIGHT
    chance = instrument.chance("pointing", fgs, interval)
    offset, slope = chance.normal(0.0, 0.18, size=2), chance.normal(0.0, 0.05, size=2)
    v2, v3 = offset + slope * (mjd - start) / YEAR
    return float(v2), float(v3)


def _mjd_of(text: str) -> float:
    """Return MJD of a year and day of year, ``yyyy.ddd``."""
    year, day = (int(part) for part in text.split("."))
    first = np.datetime64(f"{year}-01-01") - np.datetime64("1858-11-17")
    return float(first / np.timedelta64(1, "D")) + day - 1
