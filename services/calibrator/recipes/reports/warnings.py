"""Warnings where a run is not what its headers say, or fell back to a default.

CalCOS 3.6.2 flags events in a copy that it throws away when it filters by PHAFILE and when it finds
small bursts: the tallies in the headers are right, the events go on into the spectrum. Large bursts
it flags as it should, and counts them together with the small ones.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits

__all__ = ["product_warnings"]

_BURST, _PULSE_HEIGHT = 64, 512
"""Data quality flags of events (COS Data Handbook, table 2.19)."""

_MESSAGES = {
    r"initial reference file aperture center": "ALGNCORR could not measure where {count} of the "
    "spectra lie and "
    "aligned them by the centre that the extraction table gives; see the trailer",
    r"Unable to determine centroid in reference spectrum": "ALGNCORR could not measure the "
    "centroid of the reference "
    "profile and took the centre that PROFTAB gives; see the trailer",
    r"Reference centroid calculation did not converge": "ALGNCORR's centroid of the reference "
    "profile did not "
    "converge; see the trailer",
    r"There is no wavecal for segment (\w+)": "there is no wavecal for segment {0}: its "
    "wavelengths have the zero "
    "point of the other segment, or the nominal one",
    r"No matching wavecal info; zero shift assumed": "{count} times no wavecal matched the "
    "exposure in central "
    "wavelength and time: the wavelengths keep the nominal zero point",
    r"^\s*(?:\d+ )?(FUV[AB]|NUV[ABC])\b(?!.*# user-specified).*# not "
    r"found": "the lamp was not found in {count} of the "
    "lamp spectra of {0}, whose shift is the nominal one or that of another stripe or segment; see "
    "the trailer",
    r"(FUV[AB]|NUV[ABC]) sigma = ([\d.]+) of found location is higher than "
    r"cutoff": "find_target: the error of the "
    "place where {0} was found, {1} pixels, is above the cutoff; the nominal place was extracted",
}
"""What CalCOS prints where it falls back, to what it means; groups, then how often, are put in."""

_NOT_SEEN = r"(FUV[AB]|NUV[ABC]) spectrum was not found; nominal"
"""What CalCOS prints of every spectrum that it does not see.

It matters where the recipe wants it looked for.
"""


def product_warnings(outdir: Path, log: str, *, find_target: bool = False) -> Iterator[str]:
    """Compare the tallies of headers with the flags of events, and look for what fell back to a
    default.

    Parameters
    ----------
    outdir
        Folder that CalCOS wrote to; whatever is damaged in it is not judged here.
    log
        What CalCOS printed; with verbosity 0 it does not print of lamps and of the target's place.
    find_target
        Whether the target was to be extracted where it is found.
    """
    yield from _fallbacks(log, find_target)
    for path in sorted(outdir.glob("*_corrtag*.fits")):
        try:
            with fits.open(path) as hdus:
                primary, header, quality = (
                    hdus[0].header,
                    hdus[1].header,
                    np.asarray(hdus[1].data["DQ"]),
                )
        except (OSError, KeyError, TypeError, ValueError):
            continue
        yield from _tallies(path.name, primary, header, quality)
    for path in sorted(outdir.glob("*_x1d.fits")):
        try:
            header = fits.getheader(path)
        except OSError:
            continue
        if str(header.get("WAVECORR", "")).strip() == "SKIPPED":
            yield (
                f"{path.name}: WAVECORR found no usable lamp light; the wavelengths keep the "
                "nominal zero point"
            )


def _fallbacks(log: str, find_target: bool) -> Iterator[str]:
    for pattern, meaning in _MESSAGES.items():
        found = Counter(match.groups() for match in re.finditer(pattern, log, re.MULTILINE))
        for groups, count in found.items():
            yield meaning.format(*groups, count=count)
    if find_target:
        for segment in sorted(set(re.findall(_NOT_SEEN, log))):
            yield f"find_target: {segment} was not found; the nominal place was extracted"


def _tallies(
    name: str, primary: fits.Header, header: fits.Header, quality: np.ndarray
) -> Iterator[str]:
    side = str(primary.get("SEGMENT", "")).strip()[-1:]
    for tally, flag, what in (
        (f"NPHA_{side}", _PULSE_HEIGHT, "pulse height"),
        (f"NBRST_{side}", _BURST, "bursts"),
    ):
        counted, flagged = int(header.get(tally, 0)), int(np.count_nonzero(quality & flag))
        if flagged < counted:
            yield (
                f"{name}: {tally} counts {counted} events rejected for {what}, and "
                f"{flagged or 'none'} of them "
                f"{'are' if flagged else 'is'} flagged: CalCOS extracts {counted - flagged} of "
                f"them nevertheless"
            )
