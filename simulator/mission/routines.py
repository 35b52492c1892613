"""Routines of a mission: calibration proposals with their cadence, and science."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from simulator.mission.targets import DARK, FAINT, FUV_STANDARD, NUV_STANDARD, VERY_FAINT, WAVE
from simulator.mission.visits import VisitBuilder

__all__ = ["ROUTINES", "Routine"]

_DARK_SECONDS = 1330.0
"""Length of a dark exposure in real schedules."""
_SPLIT_POSITION = 6
"""From this lifetime position on the lamp cannot be flashed beside the target: wavecals bracket
each exposure.
"""


@dataclass(frozen=True)
class Routine:
    """A kind of visit.

    Parameters
    ----------
    name
        Its name in the truth file.
    build
        Lays its exposures.
    days
        Days between two of them.
    small
        How many a small mission takes.
    proposal
        Number of its first proposal; each year has the next one.
    investigator, title
        Of its proposals.
    """

    name: str
    build: Callable[[VisitBuilder], None]
    days: float
    small: int
    proposal: int
    investigator: str
    title: str


def _fuv_darks(visit: VisitBuilder) -> None:
    for _ in range(1 if visit.shorten < 1.0 else 5):
        visit.expose(
            DARK, "DARK", "G130M", 1291, _DARK_SECONDS, detector="FUV", aperture="N/A", lamp="NONE"
        )


def _nuv_darks(visit: VisitBuilder) -> None:
    for _ in range(1 if visit.shorten < 1.0 else 2):
        visit.expose(
            DARK, "DARK", "G185M", 1850, _DARK_SECONDS, detector="NUV", aperture="N/A", lamp="NONE"
        )


def _spectra(
    visit: VisitBuilder, grating: str, cenwave: int, seconds: float, positions: tuple[int, ...]
) -> None:
    """Add FUV spectra of the standard at some FP-POS, with the wavecals that the lifetime position
    asks for.
    """
    segment = "FUVA" if (grating, cenwave) == ("G140L", 1105) else "BOTH"
    split = visit.life_adj(grating, cenwave) >= _SPLIT_POSITION
    for fppos in positions:
        if split:
            _split_wavecal(visit, grating, cenwave, fppos)
        visit.expose(
            FUV_STANDARD,
            "EXTERNAL/SCI",
            grating,
            cenwave,
            seconds,
            detector="FUV",
            fppos=fppos,
            segment=segment,
            flashes=not split,
            member="EXP-FP",
        )
        if split:
            _split_wavecal(visit, grating, cenwave, fppos)
    visit.associate()


def _split_wavecal(visit: VisitBuilder, grating: str, cenwave: int, fppos: int) -> None:
    visit.expose(
        WAVE,
        "WAVECAL",
        grating,
        cenwave,
        60.0,
        detector="FUV",
        fppos=fppos,
        aperture="WCA",
        member="EXP-SWAVE",
    )


def _fuv_standard(visit: VisitBuilder) -> None:
    visit.expose(
        FUV_STANDARD, "ACQ/IMAGE", "MIRRORA", 0, 20.0, detector="NUV", obsmode="ACCUM", lamp="P1"
    )
    _spectra(visit, "G130M", 1291, 900.0, (3,) if visit.shorten < 1.0 else (1, 2, 3, 4))
    _spectra(visit, "G160M", 1577, 900.0, (3,) if visit.shorten < 1.0 else (1, 2, 3, 4))
    _spectra(visit, "G140L", 1105, 600.0, (3,))


def _fuv_science(visit: VisitBuilder) -> None:
    """Acquire in the light of the grating, as a GO visit does; BOXCAR, two FP-POS."""
    for exptype, seconds in (("ACQ/SEARCH", 10.0), ("ACQ/PEAKXD", 15.0), ("ACQ/PEAKD", 15.0)):
        visit.expose(FAINT, exptype, "G130M", 1309, seconds, detector="FUV", obsmode="ACCUM")
    for fppos in (2, 4):
        visit.expose(
            FAINT,
            "EXTERNAL/SCI",
            "G130M",
            1309,
            1800.0,
            detector="FUV",
            fppos=fppos,
            flashes=True,
            member="EXP-FP",
            extraction="BOXCAR",
        )
    visit.associate()
    visit.expose(
        VERY_FAINT,
        "EXTERNAL/SCI",
        "G130M",
        1309,
        1800.0,
        detector="FUV",
        flashes=True,
        member="EXP-FP",
        extraction="BOXCAR",
    )
    visit.associate()


def _fuv_accum(visit: VisitBuilder) -> None:
    visit.expose(FUV_STANDARD, "ACQ/IMAGE", "MIRRORB", 0, 60.0, detector="NUV", obsmode="ACCUM")
    visit.expose(
        WAVE, "WAVECAL", "G160M", 1600, 60.0, detector="FUV", aperture="WCA", member="EXP-AWAVE"
    )
    visit.expose(
        FUV_STANDARD,
        "EXTERNAL/SCI",
        "G160M",
        1600,
        600.0,
        detector="FUV",
        obsmode="ACCUM",
        member="EXP-FP",
        lamp="NONE",
        extraction="BOXCAR",
    )
    visit.associate()


def _nuv_standard(visit: VisitBuilder) -> None:
    visit.expose(NUV_STANDARD, "ACQ/IMAGE", "MIRRORA", 0, 10.0, detector="NUV", obsmode="ACCUM")
    for grating, cenwave in (("G185M", 1850), ("G225M", 2250), ("G285M", 2850), ("G230L", 2950)):
        visit.expose(
            NUV_STANDARD,
            "EXTERNAL/SCI",
            grating,
            cenwave,
            500.0,
            detector="NUV",
            flashes=True,
            member="EXP-FP",
        )
        visit.associate()


def _nuv_science(visit: VisitBuilder) -> None:
    """Add peak-ups in dispersed light, then ACCUM spectroscopy with its own wavecals."""
    visit.expose(NUV_STANDARD, "ACQ/SEARCH", "G230L", 2950, 5.0, detector="NUV", obsmode="ACCUM")
    visit.expose(NUV_STANDARD, "ACQ/PEAKXD", "G230L", 2950, 10.0, detector="NUV", obsmode="ACCUM")
    visit.expose(NUV_STANDARD, "ACQ/PEAKD", "G230L", 2950, 5.0, detector="NUV", obsmode="ACCUM")
    visit.expose(
        WAVE, "WAVECAL", "G230L", 2950, 60.0, detector="NUV", aperture="WCA", member="EXP-AWAVE"
    )
    visit.expose(
        NUV_STANDARD,
        "EXTERNAL/SCI",
        "G230L",
        2950,
        400.0,
        detector="NUV",
        obsmode="ACCUM",
        member="EXP-FP",
        lamp="NONE",
    )
    visit.expose(
        WAVE, "WAVECAL", "G230L", 2950, 60.0, detector="NUV", aperture="WCA", member="EXP-GWAVE"
    )
    visit.associate()


def _nuv_imaging(visit: VisitBuilder) -> None:
    visit.expose(NUV_STANDARD, "ACQ/IMAGE", "MIRRORA", 0, 10.0, detector="NUV", obsmode="ACCUM")
    visit.expose(
        NUV_STANDARD,
        "EXTERNAL/SCI",
        "MIRRORA",
        0,
        200.0,
        detector="NUV",
        flashes=True,
        member="EXP-FP",
    )
    visit.associate()
    visit.expose(
        NUV_STANDARD,
        "EXTERNAL/CAL",
        "MIRRORB",
        0,
        200.0,
        detector="NUV",
        obsmode="ACCUM",
        member="EXP-FP",
        lamp="NONE",
    )
    visit.associate()


def _acquisition_check(visit: VisitBuilder) -> None:
    """Acquire with both mirrors, then with both peak-ups of the FUV."""
    visit.expose(FUV_STANDARD, "ACQ/IMAGE", "MIRRORA", 0, 20.0, detector="NUV", obsmode="ACCUM")
    visit.expose(
        FUV_STANDARD,
        "ACQ/IMAGE",
        "MIRRORB",
        0,
        80.0,
        detector="NUV",
        obsmode="ACCUM",
        aperture="PSA",
    )
    for exptype in ("ACQ/PEAKXD", "ACQ/PEAKD"):
        visit.expose(FUV_STANDARD, exptype, "G130M", 1291, 8.0, detector="FUV", obsmode="ACCUM")


ROUTINES: Final = (
    Routine("nuv-dark", _nuv_darks, 14.0, 4, 14442, "Dark", "COS NUV detector dark monitor"),
    Routine(
        "acquisition",
        _acquisition_check,
        30.0,
        4,
        15389,
        "Aligned",
        "COS target acquisition monitor",
    ),
    Routine(
        "nuv-standard", _nuv_standard, 60.0, 2, 14441, "Standard", "COS NUV sensitivity monitor"
    ),
    Routine("nuv-imaging", _nuv_imaging, 120.0, 1, 14443, "Mirror", "COS NUV imaging monitor"),
    Routine(
        "nuv-science",
        _nuv_science,
        45.0,
        1,
        14601,
        "Observer",
        "Near-ultraviolet ACCUM spectroscopy",
    ),
    Routine("fuv-dark", _fuv_darks, 7.0, 2, 14436, "Dark", "COS FUV detector dark monitor"),
    Routine(
        "fuv-standard", _fuv_standard, 30.0, 1, 14439, "Standard", "COS FUV sensitivity monitor"
    ),
    Routine(
        "fuv-accum", _fuv_accum, 60.0, 1, 14602, "Observer", "Far-ultraviolet ACCUM spectroscopy"
    ),
    Routine(
        "fuv-science",
        _fuv_science,
        10.0,
        1,
        14603,
        "Observer",
        "A quasar behind the circumgalactic medium",
    ),
)
"""Cheapest first. Cadences: five FUV darks a week, two NUV darks in two weeks, sensitivity every
one to two months (COS Instrument Handbook, section 12.2)."""
