"""Selection of sub-exposures and of their times."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from pathlib import Path

from astropy.io import fits

from services.calibrator.recipes.edits.changes import SubExposure
from services.calibrator.recipes.edits.tables import file_of
from services.calibrator.recipes.sub_exposures.splitting import good_times, overlap, times_within
from services.calibrator.run.headers import Exposure
from shared.errors import RefusedError
from shared.recipes.division import MOST_PARTS, SubExposures

__all__ = ["check_pulse_heights", "divide", "intervals_of"]


def divide(
    division: SubExposures, exposures: Sequence[Exposure], orbits: Sequence[str]
) -> list[SubExposure]:
    """List the sub-exposures of the science exposures.

    Parameters
    ----------
    division
        How they are divided.
    exposures
        Raw files that are calibrated, as the recipe leaves them.
    orbits
        Rootnames of the exposures whose support file says where HST was.

    Raises
    ------
    RefusedError
        If an exposure cannot be divided so, or there would be none or too many.
    """
    lengths: dict[str, float] = {}
    for exposure in exposures:
        if exposure.text("EXPTYPE") != "WAVECAL":
            name = exposure.rootname
            _check(exposure, division, name in orbits)
            lengths[name] = max(_length(exposure), lengths.get(name, 0.0))
    found = list(islice(_parts(division, lengths), MOST_PARTS + 1))
    if not found:
        raise RefusedError(
            "sub_exposures: they begin after the end of every exposure; choose earlier times"
        )
    if len(found) > MOST_PARTS:
        raise RefusedError(
            f"sub_exposures: a run has at most {MOST_PARTS}, and these are more; make them longer, "
            "or calibrate single exposures"
        )
    return found


def _parts(division: SubExposures, lengths: Mapping[str, float]) -> Iterator[SubExposure]:
    """Make the sub-exposures of exposures of these lengths, one by one: there may be millions."""
    suns, targets, heights = division.suns(), division.targets(), division.heights()
    each = len(suns) * len(targets) * len(heights)
    for rootname, seconds in lengths.items():
        for place, (start, stop) in enumerate(division.times_of(seconds)):
            if start >= seconds:
                continue  # this exposure is shorter than another one
            ways = product(suns, targets, heights)
            for number, (sun, target, height) in enumerate(ways, place * each + 1):
                name = f"{rootname}_s{number:03d}"
                yield SubExposure(name, rootname, start, stop, sun, target, height)


def _length(exposure: Exposure) -> float:
    """End of the last good time of a raw file, second; EXPTIME is rounded."""
    with fits.open(exposure.path) as hdus:
        return good_times(hdus)[-1][1]


def _check(exposure: Exposure, division: SubExposures, with_orbit: bool) -> None:
    name = exposure.rootname
    if exposure.text("OBSMODE") != "TIME-TAG":
        raise RefusedError(
            f"sub_exposures: {name} is {exposure.text('OBSMODE')}, whose events have no times"
        )
    if exposure.text("OBSTYPE") != "SPECTROSCOPIC" or not exposure.is_set("X1DCORR"):
        raise RefusedError(
            f"sub_exposures: {name} has no spectrum extracted (OBSTYPE, X1DCORR), so none is "
            "divided"
        )
    if division.pulse_heights and exposure.text("DETECTOR") != "FUV":
        raise RefusedError(
            f"sub_exposures: {name} is {exposure.text('DETECTOR')}; only the FUV has pulse heights"
        )
    if division.by_orbit and not with_orbit:
        raise RefusedError(
            f"sub_exposures: {name}_spt is missing, which says where HST was; fetch it, or divide "
            "by time"
        )


def check_pulse_heights(division: SubExposures, exposures: Sequence[Exposure], lref: Path) -> None:
    """Refuse ranges of pulse heights that PHACORR has thrown events out of.

    Raises
    ------
    RefusedError
        If a range reaches beyond the limits of the PHATAB.
    """
    for exposure in exposures:
        path = lref / file_of(exposure, "PHATAB")
        if not division.pulse_heights or not exposure.is_set("PHACORR") or not path.is_file():
            continue
        segment = exposure.text("SEGMENT")
        rows = [
            row for row in fits.getdata(path, 1) if str(row["SEGMENT"]).strip() in (segment, "ANY")
        ]
        if not rows:
            continue
        low, high = min(int(row["LLT"]) for row in rows), max(int(row["ULT"]) for row in rows)
        for lowest, highest in division.pulse_heights:
            if lowest < low or highest > high:
                raise RefusedError(
                    f"sub_exposures: PHACORR leaves pulse heights {low} to {high} of {segment} "
                    f"({path.name}), and "
                    f"{lowest} to {highest} are asked for; omit PHACORR as well"
                )


def intervals_of(part: SubExposure, corrtag: Path) -> list[tuple[float, float]]:
    """Find the times of a sub-exposure, second since EXPSTART.

    Empty where its altitudes do not occur.

    Parameters
    ----------
    part
        The sub-exposure.
    corrtag
        A corrtag file of its exposure.
    """
    found = [(part.start, part.stop)]
    with fits.open(corrtag) as hdus:
        for column, limits in (
            ("SUN_ALT", part.sun_altitude),
            ("TARGET_ALT", part.target_altitude),
        ):
            if limits is not None:
                found = overlap(found, times_within(hdus, column, *limits))
    return found
