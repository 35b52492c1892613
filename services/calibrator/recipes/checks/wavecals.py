"""Wavecals that a recipe adds or drops: whether they fit, and what becomes of the wavelengths."""

from collections.abc import Iterator, Sequence

from services.calibrator.run.headers import Exposure
from shared.errors import RefusedError

__all__ = ["check_wavecal", "is_wavecal", "wavecal_warnings"]

_BLUE = {("G130M", 1055), ("G130M", 1096)}
"""Blue modes, whose FUVB sees no lines of the lamp (COS Data Handbook, 3.6.

HAS_LINES of LAMPTAB).
"""

_DARK_GRATING = "G140L"
"""Grating whose FUVB sees no lines of the lamp in any mode (``cosutil.checkForNoWavecalData``)."""


def is_wavecal(exposure: Exposure) -> bool:
    """Return whether it is of the lamp alone."""
    return exposure.text("EXPTYPE") == "WAVECAL"


def check_wavecal(wavecal: Exposure, science: Exposure) -> None:
    """Refuse to add what is no wavecal, or one of another mode.

    Parameters
    ----------
    wavecal
        Raw file that is added.
    science
        Raw file of a science exposure.

    Raises
    ------
    RefusedError
        With what differs.
    """
    if not is_wavecal(wavecal):
        raise RefusedError(
            f"members.wavecals: {wavecal.rootname} is {wavecal.text('EXPTYPE')}, not a WAVECAL"
        )
    for keyword in ("DETECTOR", "OPT_ELEM", "CENWAVE"):
        if wavecal.text(keyword) != science.text(keyword):
            raise RefusedError(
                f"members.wavecals: {wavecal.rootname} has {keyword} {wavecal.text(keyword)}, the "
                "science exposure "
                f"{science.text(keyword)}; a wavecal must have the mode of the spectrum"
            )


def wavecal_warnings(
    added: Sequence[str], exposures: Sequence[Exposure], kept: Sequence[Exposure]
) -> Iterator[str]:
    """Say what the choice of members does to the wavelengths.

    Parameters
    ----------
    added
        Rootnames of the wavecals that are added.
    exposures
        Raw files that there are, the added ones among them.
    kept
        Those that are calibrated.
    """
    gone = {exposure.rootname for exposure in exposures if is_wavecal(exposure)}
    gone -= {exposure.rootname for exposure in kept}
    lamps = [exposure for exposure in kept if is_wavecal(exposure)]
    science = [
        exposure
        for exposure in kept
        if not is_wavecal(exposure) and not exposure.is_done("WAVECORR")
    ]
    if gone and not lamps and any(not _is_flashed(exposure) for exposure in science):
        are = "is a wavecal" if len(gone) == 1 else "are wavecals"
        yield (
            f"{', '.join(sorted(gone))} {are}, and no other is left: the wavelengths keep the "
            "nominal zero point"
        )
    if added and any(_is_flashed(exposure) for exposure in science):
        yield (
            "the science exposures have lamp flashes (TAGFLASH), which CalCOS prefers to a GO "
            "wavecal"
        )
    lit = {
        exposure.rootname
        for exposure in kept
        if exposure.text("SEGMENT") == "FUVA" and _is_flashed(exposure)
    }
    for exposure in science:
        alone = exposure.rootname not in lit and not any(
            lamp.text("SEGMENT") == "FUVA" for lamp in lamps
        )
        if _without_lines(exposure) and alone:
            yield (
                f"{exposure.path.name}: FUVB of "
                f"{exposure.text('OPT_ELEM')}/{exposure.text('CENWAVE')} sees no lines "
                "of the lamp and takes its wavelengths from lamp light on FUVA, of which there is "
                "none: they keep the "
                "nominal zero point; keep or add a wavecal with FUVA on"
            )


def _is_flashed(exposure: Exposure) -> bool:
    return exposure.text("TAGFLASH") not in ("", "NONE")


def _without_lines(exposure: Exposure) -> bool:
    mode = exposure.text("OPT_ELEM"), exposure.header.get("CENWAVE")
    return exposure.text("SEGMENT") == "FUVB" and (mode in _BLUE or mode[0] == _DARK_GRATING)
