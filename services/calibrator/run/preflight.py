"""Checks before a run: what CalCOS would only half do, or stop at with an empty message, is
refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.calibrator.run.headers import Exposure
from services.calibrator.run.references import Reference, ReferenceFolder
from shared.cos.association import Association
from shared.cos.completeness import missing_raw, opened_beside
from shared.cos.segments import expected_segments
from shared.cos.switches import SWITCHES
from shared.errors import PermanentError, UnsupportedError

__all__ = ["Preflight", "preflight"]

_APERTURES = {"PSA", "BOA", "WCA", "FCA", "RelMvReq"}
"""Apertures that CalCOS 3.6.2 knows.

It resolves RelMvReq itself. Any other ends with status 16 half-way.
"""

_MANDATORY = ("DETECTOR", "OBSMODE", "EXPTYPE", "OBSTYPE", "OPT_ELEM", "CENWAVE", "SEGMENT")
"""Primary keywords without which CalCOS 3.6.2 stops with a KeyError."""


@dataclass(frozen=True)
class Preflight:
    """References that a run will use, and what is worth a note though it does not stop the run."""

    references: tuple[Reference, ...]
    notes: tuple[str, ...]


def preflight(
    association: Association | None,
    exposures: Sequence[Exposure],
    references: ReferenceFolder,
    accepted_missing: frozenset[str] = frozenset(),
    *,
    single_file: bool = False,
) -> Preflight:
    """Refuse a run that cannot come out whole.

    Parameters
    ----------
    association
        Association table; None for a single exposure.
    exposures
        Raw files that are there.
    references
        Where reference files are.
    accepted_missing
        What an operator let go, by the names that `shared.cos.completeness.missing_raw` gives.
    single_file
        Whether one file is all that is wanted, whatever belongs to it.

    Raises
    ------
    PermanentError
        If a member or a segment is missing, a header cannot be calibrated, or a reference is
        missing or wrong.
    UnsupportedError
        If there is nothing to calibrate.
    """
    missing = [] if single_file else sorted(_missing(association, exposures) - accepted_missing)
    if missing:
        raise PermanentError(
            f"incomplete: {', '.join(missing)} missing; fetch them, or force the dataset through"
        )
    if not exposures:
        off = association is not None and not association.members
        why = (
            "the association says of no exposure that it is present"
            if off
            else "there is no raw science file"
        )
        raise UnsupportedError(f"{why}; nothing to calibrate")
    if association is None and len({exposure.rootname for exposure in exposures}) > 1:
        raise PermanentError(
            "several exposures without an association table, which CalCOS needs; fetch it"
        )
    for exposure in exposures:
        _check_header(exposure)
        _check_kind(association, exposure)
    if not any(exposure.is_set(switch) for exposure in exposures for switch in exposure.switches()):
        raise UnsupportedError("every calibration switch is OMIT; nothing to calibrate")
    return Preflight(tuple(references.resolve(exposures)), _notes(association, exposures))


def _missing(association: Association | None, exposures: Sequence[Exposure]) -> set[str]:
    """Return the names of the files that must be there and are not: of each member, and of each
    segment that was on.
    """
    raw: dict[str, set[str]] = (
        {member: set() for member in association.members} if association else {}
    )
    segments: dict[str, set[str]] = {}
    for exposure in exposures:
        raw.setdefault(exposure.rootname, set()).add(exposure.suffix)
        segments.setdefault(exposure.rootname, set()).update(expected_segments(exposure.header))
    missing = {
        name
        for root, suffixes in raw.items()
        for name in missing_raw(root, suffixes, segments.get(root, ()))
    }
    beside = (
        exposure.path.with_name(f"{exposure.rootname}_{suffix}.fits")
        for exposure in exposures
        for suffix in opened_beside(exposure.header)
    )
    return missing | {path.stem for path in beside if not path.is_file()}


def _check_header(exposure: Exposure) -> None:
    header, name = exposure.header, exposure.path.name
    absent = [keyword for keyword in _MANDATORY if keyword not in header]
    if absent:
        raise PermanentError(
            f"{name}: its primary header lacks {', '.join(absent)}; fetch it again"
        )
    aperture = exposure.text("APERTURE")
    dark = "DARK" in (exposure.text("EXPTYPE"), exposure.text("TARGNAME"))
    if aperture.split("-")[0] not in _APERTURES and not dark:
        raise PermanentError(
            f"{name}: APERTURE is {aperture!r}, not one of {', '.join(sorted(_APERTURES))}"
        )
    for switch in SWITCHES:
        if switch != "STATFLAG" and not isinstance(header.get(switch, ""), str):
            raise PermanentError(f"{name}: {switch} is {header[switch]!r}; it is PERFORM or OMIT")
    for keyword in ("WALKCORR", "WALKTAB"):
        if keyword in header:
            raise PermanentError(
                f"{name}: {keyword} is a keyword of before CalCOS 3; retrieve the raw data again"
            )
    if exposure.is_set("DGEOCORR") and exposure.text("GEOCORR") == "OMIT":
        raise PermanentError(
            f"{name}: DGEOCORR is PERFORM while GEOCORR is OMIT, which CalCOS refuses"
        )


def _check_kind(association: Association | None, exposure: Exposure) -> None:
    """Refuse a row that CalCOS refuses (`Observation.__init__`).

    Wavecals alone have a MEMTYPE that ends in WAVE.
    """
    rows = association.rows if association else ()
    kind = next((row.kind for row in rows if row.present and row.name == exposure.rootname), None)
    if kind is not None and kind.upper().endswith("WAVE") != (
        exposure.text("EXPTYPE") == "WAVECAL"
    ):
        raise PermanentError(
            f"{exposure.path.name}: MEMTYPE is {kind} in the association and EXPTYPE "
            f"{exposure.text('EXPTYPE')} in the "
            "header; correct one of them"
        )


def _notes(association: Association | None, exposures: Sequence[Exposure]) -> tuple[str, ...]:
    roots = sorted({exposure.rootname for exposure in exposures})
    folder = exposures[0].path.parent
    return _notes_on_table(association) + tuple(
        f"{root}_spt is missing: no TIMELINE orbit data and no {root}_jnk product"
        for root in roots
        if not (folder / f"{root}_spt.fits").is_file()
    )


def _notes_on_table(association: Association | None) -> tuple[str, ...]:
    if association is None:
        return ()
    off = (
        f"{root} is left out, as {association.name} says (MEMPRSNT)"
        for root in association.left_out
    )
    lower = (
        f"CalCOS does not take {row.name} as a product, since its MEMTYPE {row.kind} is not in "
        f"upper case: "
        "nothing is added up"
        for row in association.rows
        if not row.is_exposure and not row.is_product
    )
    return (*off, *lower)
