"""Checks of a recipe's edits by headers alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.calibrator.recipes.edits.tables import segments_of
from services.calibrator.run.headers import Exposure
from shared.errors import RefusedError
from shared.recipes import Recipe
from shared.recipes.keywords import KEYWORDS

__all__ = ["check_effects", "check_extracted_alike", "check_reach"]


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
    RefusedError
        With the reason and what to do.
    """
    name = exposure.path.name

    def text(keyword: str) -> str:
        return str(edits.get(keyword, exposure.text(keyword)))

    algorithm = str(edits.get("XTRCTALG", exposure.algorithm))
    if algorithm == "TWOZONE" and "XTRCTALG" in edits and exposure.text("DETECTOR") == "NUV":
        raise RefusedError(f"{name}: XTRCTALG=TWOZONE is for the FUV; the NUV has BOXCAR alone")
    if done := sorted(switch for switch in edits if exposure.is_done(switch)):
        raise RefusedError(
            f"{name}: {', '.join(done)} is done already in these events, which cannot be taken "
            "back; start from the "
            "raw file"
        )
    # Without BACKCORR, CalCOS 3.6.2 asks for background rows that it has not counted
    # (extract.extractSegmentTwozone).
    omitted = [
        switch
        for switch in ("TRCECORR", "ALGNCORR", "BACKCORR")
        if text(switch) not in ("PERFORM", "COMPLETE")
    ]
    if algorithm == "TWOZONE" and text("X1DCORR") == "PERFORM" and omitted:
        raise RefusedError(
            f"{name}: its XTRCTALG is TWOZONE, which needs {' and '.join(omitted)}; set XTRCTALG "
            "to BOXCAR as well"
        )
    if text("DGEOCORR") == "PERFORM" and text("GEOCORR") == "OMIT":
        raise RefusedError(
            f"{name}: DGEOCORR is PERFORM while GEOCORR is OMIT, which CalCOS refuses; omit both"
        )
    if exposure.text("EXPTYPE") == "WAVECAL":
        return  # what the recipe says of spectra is for those of the target
    _check_shifts(exposure, text("WAVECORR"), recipe)
    other = recipe.extraction.boxcar if algorithm == "TWOZONE" else recipe.extraction.twozone
    right = recipe.extraction.twozone if algorithm == "TWOZONE" else recipe.extraction.boxcar
    if other and not right:
        kind = "boxcar" if algorithm == "TWOZONE" else "twozone"
        raise RefusedError(
            f"{name}: XTRCTALG is {algorithm}, so extraction.{kind} has no effect; set XTRCTALG as "
            "well"
        )
    for own in (keyword for keyword in edits if _segment(keyword) == exposure.text("SEGMENT")):
        if text("ALGNCORR") != "PERFORM":
            raise RefusedError(
                f"{name}: {own} is what ALGNCORR moves the spectrum by, and ALGNCORR is not PERFORM"
            )


def check_reach(recipe: Recipe, edited: Sequence[tuple[Exposure, Mapping[str, Any]]]) -> None:
    """Refuse numbers and keywords of segments that no exposure has, and numbers that no extraction
    takes.

    Parameters
    ----------
    recipe
        The recipe.
    edited
        Raw files that are calibrated, each with keyword to value that the recipe sets in it.

    Raises
    ------
    RefusedError
        With what there is.
    """
    for root, keywords in (
        (None, recipe.keywords),
        *((root, own.keywords) for root, own in recipe.exposures.items()),
    ):
        there = {
            exposure.text("SEGMENT") for exposure, _ in edited if root in (None, exposure.rootname)
        }
        for keyword in keywords:
            if _segment(keyword) and _segment(keyword) not in there:
                raise RefusedError(
                    f"keywords.{keyword} is for segment {_segment(keyword)}, of which "
                    f"{root or 'this recipe'} has no "
                    "raw file to calibrate; leave it out"
                )
    taken = {pair for exposure, edits in edited for pair in _extracted(exposure, edits)}
    for kind, numbers in (
        ("twozone", recipe.extraction.twozone),
        ("boxcar", recipe.extraction.boxcar),
    ):
        segments = {segment for algorithm, segment in taken if algorithm == kind.upper()}
        idle = sorted(
            name for name in numbers if name not in segments and not (name == "all" and segments)
        )
        if idle:
            those = f"of {', '.join(sorted(segments))}" if segments else "none at all"
            raise RefusedError(
                f"extraction.{kind}.{', '.join(idle)} has no effect: of the spectra that are "
                "extracted (X1DCORR), "
                f"those with XTRCTALG={kind.upper()} are {those}"
            )


def _segment(keyword: str) -> str | None:
    """Return the segment that a keyword is for; None for any."""
    return KEYWORDS[keyword].segment if keyword in KEYWORDS else None


def _extracted(exposure: Exposure, edits: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield algorithm and segment or stripe of each spectrum of the target that CalCOS extracts."""
    algorithm = str(edits.get("XTRCTALG", exposure.algorithm))
    switch = str(edits.get("X1DCORR", exposure.text("X1DCORR")))
    spectrum = exposure.text("OBSTYPE") == "SPECTROSCOPIC" and exposure.text("EXPTYPE") != "WAVECAL"
    if spectrum and switch == "PERFORM":
        yield from ((algorithm, segment) for segment in segments_of(exposure))


def _check_shifts(exposure: Exposure, wavecorr: str, recipe: Recipe) -> None:
    """Refuse lines of a shift file that CalCOS 3.6.2 stops at, or takes no notice of.

    It takes an exposure that the file names for one with flashes (`calcos.Observation`), and shift2
    for images alone (`concurrent.NUVImagingWavecal`; the class for spectra reads it and leaves it).
    """
    flashes = (
        exposure.text("TAGFLASH") not in ("", "NONE")
        and int(exposure.data_header.get("NUMFLASH", 0)) > 0
    )
    lines = [line.lower().split() for line in recipe.options.shift_file]
    lines = [words for words in lines if words[0] in ("any", exposure.rootname)]
    if lines and wavecorr == "PERFORM" and not flashes:
        raise RefusedError(
            f"options.shift_file: {exposure.rootname} has no lamp flashes (TAGFLASH), and CalCOS "
            "stops at a shift file "
            "that names it; name other exposures in it"
        )
    if exposure.text("OBSTYPE") == "SPECTROSCOPIC" and any(
        len(words) > 5 and words[5] != "n/a" for words in lines
    ):
        raise RefusedError(
            f"options.shift_file: CalCOS takes shift2 for images alone, and {exposure.rootname} "
            "has spectra; leave it "
            "out, and move the extraction by SP_SET_A, SP_SET_B or extraction.boxcar"
        )


def check_extracted_alike(extracted: Mapping[str, bool]) -> None:
    """Refuse that spectra of some members are extracted and those of others not.

    CalCOS then adds up none.

    Parameters
    ----------
    extracted
        Raw spectroscopic file of an association to whether X1DCORR is on.

    Raises
    ------
    RefusedError
        With the files that differ.
    """
    without = sorted(name for name, on in extracted.items() if not on)
    if without and len(without) < len(extracted):
        raise RefusedError(
            f"X1DCORR is OMIT in {', '.join(without)} and not in the other members, whose spectra "
            "CalCOS then does not "
            "add up; set it alike in all of them, drop these, or calibrate one exposure alone "
            "(members.only)"
        )
