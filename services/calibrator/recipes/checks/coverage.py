"""Checks that the references named in a recipe cover the modes of its exposures.

CalCOS 3.6.2 stops half-way at a table without a row that it looks up; which rows these are follows
from the calls of ``cosutil.getTable`` and ``dispersion.Dispersion``.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from astropy.io import fits

from services.calibrator.recipes.edits.tables import aperture_of, file_of, matches, segments_of
from services.calibrator.run.headers import Exposure
from shared.cos.references import needed_references
from shared.errors import RefusedError

__all__ = ["check_coverage"]

_IMAGES = ("FLATFILE", "GEOFILE", "DGEOFILE", "XWLKFILE", "YWLKFILE", "PHAFILE")
"""References with an image for each FUV segment."""

_OF_DETECTOR = ("DEADTAB", "BRFTAB", "PHATAB", "BRSTTAB", "HVDSTAB")
"""Tables that are asked for the segment of the file, whatever the exposure is of."""

_OF_SPECTRA = (
    "XTRACTAB",
    "TWOZXTAB",
    "PROFTAB",
    "TRACETAB",
    "DISPTAB",
    "FLUXTAB",
    "TDSTAB",
    "SPWCSTAB",
)
"""Tables with a row for each segment or stripe and the aperture."""

_OF_WAVECALS = ("XTRACTAB", "TRACETAB", "DISPTAB")
"""Those of them that a wavecal is extracted with."""

_BY_POSITION = ("DISPTAB", "FLUXTAB", "LAMPTAB")
"""Tables that are asked for FPOFFSET as well where they have that column."""

_APERTURES = ("PSA", "BOA", "WCA", "FCA")
"""Apertures as tables name them; CalCOS finds out itself what RelMvReq is."""

_DEFAULT_POSITION = -1
"""LIFE_ADJ of a header that has none (``getinfo.getGeneralInfo``)."""

Wanted = dict[str, Any]


def check_coverage(exposures: Sequence[Exposure], keywords: Iterable[str], lref: Path) -> None:
    """Refuse references without rows or images for an exposure.

    Parameters
    ----------
    exposures
        Raw files as CalCOS will see them.
    keywords
        Keywords whose files a recipe chose.
    lref
        Folder of the reference files.

    Raises
    ------
    RefusedError
        With keyword, file and mode.
    """
    for exposure in exposures:
        for keyword in sorted(set(keywords) & set(needed_references(exposure.header))):
            path = lref / file_of(exposure, keyword)
            if not path.is_file():
                continue
            with fits.open(path) as hdus:
                if keyword == "TRACETAB":
                    _check_position(exposure, path.name, hdus)
                missing = _missing(keyword, exposure, hdus)
            if missing is not None:
                mode = " ".join(f"{name} {value}" for name, value in missing.items())
                raise RefusedError(
                    f"{keyword}: {path.name} has nothing for {mode}, which {exposure.path.name} "
                    "needs; choose a file "
                    "that covers this mode"
                )


def _check_position(exposure: Exposure, name: str, hdus: fits.HDUList) -> None:
    """Check that lifetime positions agree: CalCOS stops where not (``timetag.doTraceCorr``)."""
    if not exposure.is_set("TRCECORR") or exposure.text("DETECTOR") != "FUV":
        return
    found, own = hdus[0].header.get("LIFE_ADJ"), exposure.header.get("LIFE_ADJ", _DEFAULT_POSITION)
    if found != own:
        position = "no lifetime position" if found is None else f"lifetime position {found:g}"
        raise RefusedError(
            f"TRACETAB: {name} is for {position} (LIFE_ADJ), {exposure.path.name} of {own:g}, and "
            "CalCOS stops where these "
            "differ; choose a file for that position, or omit TRCECORR"
        )


def _missing(keyword: str, exposure: Exposure, hdus: fits.HDUList) -> Wanted | None:
    """Find what a file has no image or row for; None if it has all."""
    if keyword in _IMAGES:
        segment = exposure.text("SEGMENT")
        sides = {hdu.name for hdu in hdus[1:]} | {
            str(hdu.header.get("SEGMENT", "")).strip() for hdu in hdus[1:]
        }
        return (
            {"SEGMENT": segment}
            if exposure.text("DETECTOR") == "FUV" and segment not in sides
            else None
        )
    table = hdus[1].data
    for wanted in _lookups(keyword, exposure, table):
        asked = {name: value for name, value in wanted.items() if name in table.names}
        if not any(
            all(matches(row[name], value) for name, value in asked.items()) for row in table
        ):
            return asked
    return None


def _lookups(keyword: str, exposure: Exposure, table: fits.FITS_rec) -> Iterator[Wanted]:
    """List what CalCOS asks a table for, without which it does not go on."""
    mode: Wanted = {"OPT_ELEM": exposure.text("OPT_ELEM"), "CENWAVE": exposure.header["CENWAVE"]}
    position: Wanted = (
        {"FPOFFSET": exposure.header.get("FPOFFSET", 0)} if keyword in _BY_POSITION else {}
    )
    if keyword in _OF_DETECTOR and not _is_calibrated(exposure):
        yield {"SEGMENT": exposure.text("SEGMENT"), **mode}
    if exposure.text("OBSTYPE") != "SPECTROSCOPIC":
        return
    if keyword == "WCPTAB":
        yield {"OPT_ELEM": mode["OPT_ELEM"]}
    for segment in segments_of(exposure):
        own: Wanted = {"SEGMENT": segment, **mode}
        if keyword == "LAMPTAB" and _is_lit(exposure) and _has_lines(table, own, exposure):
            yield own | position
        for aperture in _apertures(keyword, exposure):
            yield own | {"APERTURE": aperture} | position


def _apertures(keyword: str, exposure: Exposure) -> Iterator[str]:
    """Yield the apertures that a table is asked for."""
    kind, own = exposure.text("EXPTYPE"), aperture_of(exposure)
    if keyword not in (
        _OF_WAVECALS if kind == "WAVECAL" else _OF_SPECTRA if kind.startswith("EXTERNAL") else ()
    ):
        return
    two_zones = exposure.algorithm == "TWOZONE"
    opened = {
        "TRACETAB": exposure.is_set("TRCECORR"),
        "PROFTAB": exposure.is_set("ALGNCORR") or (two_zones and exposure.is_set("X1DCORR")),
        "TWOZXTAB": two_zones,
        "FLUXTAB": exposure.is_set("X1DCORR"),
        "TDSTAB": exposure.is_set("X1DCORR"),
    }
    if own in _APERTURES and opened.get(keyword, True):
        yield own
    if _is_calibrated(exposure) or kind == "WAVECAL":
        return
    # The rows between target and lamp separate their events, those of the PSA for the BOA too.
    if keyword == "XTRACTAB" and exposure.text("OBSMODE") == "TIME-TAG":
        yield from ("PSA", "WCA")
    if keyword == "DISPTAB" and _is_lit(exposure):
        yield "WCA"


def _is_calibrated(exposure: Exposure) -> bool:
    """Return whether CalCOS starts from events whose places and times it has corrected."""
    return exposure.suffix.startswith("corrtag")


def _is_lit(exposure: Exposure) -> bool:
    """Return whether CalCOS measures lamp light in it."""
    if exposure.text("EXPTYPE") == "WAVECAL":
        return True
    flashes = (
        exposure.text("TAGFLASH") not in ("", "NONE")
        and int(exposure.data_header.get("NUMFLASH", 0)) > 0
    )
    return flashes and exposure.is_set("WAVECORR")


def _has_lines(table: fits.FITS_rec, own: Wanted, exposure: Exposure) -> bool:
    """Return whether a template is read.

    Not where segment A has the only lamp light (``cosutil.checkForNoWavecalData``).
    """
    if exposure.text("EXPTYPE") == "WAVECAL" or own["SEGMENT"] != "FUVB":
        return True
    if "HAS_LINES" not in table.names:
        return exposure.text("OPT_ELEM") != "G140L"
    rows = (row for row in table if all(matches(row[name], value) for name, value in own.items()))
    return bool(next((row["HAS_LINES"] for row in rows), True))
