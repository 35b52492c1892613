"""What a recipe's edits would lead CalCOS into, as headers alone tell."""

from collections.abc import Mapping
from typing import Any

from services.calibrator.headers import Exposure
from shared.errors import PermanentError
from shared.recipes import Recipe

__all__ = ["check_effects", "check_extracted_alike"]


def check_effects(exposure: Exposure, edits: Mapping[str, Any], recipe: Recipe) -> None:
    """Refuse what CalCOS would stop at, or pass over in silence, in one exposure.

    Parameters
    ----------
    exposure
        Raw file.
    edits
        Keyword to value that the recipe sets in it.
    recipe
        The recipe.

    Raises
    ------
    PermanentError
        With the reason and what to do.
    """
    name = exposure.path.name

    def text(keyword: str) -> str:
        return str(edits.get(keyword, exposure.text(keyword)))

    algorithm = text("XTRCTALG") or "BOXCAR"
    if algorithm == "TWOZONE" and "XTRCTALG" in edits and exposure.text("DETECTOR") == "NUV":
        raise PermanentError(f"{name}: XTRCTALG=TWOZONE is for the FUV; the NUV has BOXCAR alone")
    if done := sorted(switch for switch in edits if exposure.is_done(switch)):
        raise PermanentError(
            f"{name}: {', '.join(done)} is done already in these events, which cannot be taken back; start from the "
            "raw file"
        )
    omitted = [switch for switch in ("TRCECORR", "ALGNCORR") if text(switch) not in ("PERFORM", "COMPLETE")]
    if algorithm == "TWOZONE" and text("X1DCORR") == "PERFORM" and omitted:
        raise PermanentError(
            f"{name}: its XTRCTALG is TWOZONE, which needs {' and '.join(omitted)}; set XTRCTALG to BOXCAR as well"
        )
    if text("DGEOCORR") == "PERFORM" and text("GEOCORR") == "OMIT":
        raise PermanentError(f"{name}: DGEOCORR is PERFORM while GEOCORR is OMIT, which CalCOS refuses; omit both")
    if exposure.text("EXPTYPE") == "WAVECAL":
        return  # what the recipe says of spectra is for those of the target
    _check_shifts(exposure, text("WAVECORR"), recipe)
    other = recipe.extraction.boxcar if algorithm == "TWOZONE" else recipe.extraction.twozone
    right = recipe.extraction.twozone if algorithm == "TWOZONE" else recipe.extraction.boxcar
    if other and not right:
        kind = "boxcar" if algorithm == "TWOZONE" else "twozone"
        raise PermanentError(
            f"{name}: XTRCTALG is {algorithm}, so extraction.{kind} has no effect; set XTRCTALG as well"
        )
    own = f"SP_SET_{exposure.text('SEGMENT')[-1:]}"
    if own in edits and text("ALGNCORR") != "PERFORM":
        raise PermanentError(f"{name}: {own} is what ALGNCORR moves the spectrum by, and ALGNCORR is not PERFORM")


def _check_shifts(exposure: Exposure, wavecorr: str, recipe: Recipe) -> None:
    """CalCOS 3.6.2 takes an exposure that a shift file names for one with flashes (`calcos.Observation`)."""
    flashes = exposure.text("TAGFLASH") not in ("", "NONE") and int(exposure.data_header.get("NUMFLASH", 0)) > 0
    named = {line.split()[0].lower() for line in recipe.options.shift_file} & {"any", exposure.rootname}
    if named and wavecorr == "PERFORM" and not flashes:
        raise PermanentError(
            f"options.shift_file: {exposure.rootname} has no lamp flashes (TAGFLASH), and CalCOS stops at a shift file "
            "that names it; name other exposures in it"
        )


def check_extracted_alike(extracted: Mapping[str, bool]) -> None:
    """Refuse that spectra of some members are extracted and those of others not: CalCOS then adds up none.

    Parameters
    ----------
    extracted
        Raw spectroscopic file of an association to whether X1DCORR is on.

    Raises
    ------
    PermanentError
        With the files that differ.
    """
    without = sorted(name for name, on in extracted.items() if not on)
    if without and len(without) < len(extracted):
        raise PermanentError(
            f"X1DCORR is OMIT in {', '.join(without)} and not in the other members, whose spectra CalCOS then does not "
            "add up; set it alike in all of them, drop these, or calibrate one exposure alone (members.only)"
        )
